//! Tensor names. The canonical ones are those of OpenGVLab's `InternVisionModel`; the Hugging Face
//! port and mmseg-style backbones are renamed to them.

use std::collections::BTreeSet;

/// How a checkpoint names its vision tensors: one of three schemes behind a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// What stands before every vision tensor, for example `vision_model.`.
    pub prefix: String,
    scheme: Scheme,
    /// Prefixes of other encoders that begin as this one's does.
    others: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    OpenGvLab,
    HuggingFace,
    Mmseg,
}

/// What a checkpoint's key means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A whole canonical tensor.
    Whole(String),
    /// One third (0 q, 1 k, 2 v) of a canonical fused tensor.
    Third(String, usize),
    /// Not the encoder's: a language model, a head, a mask token.
    Elsewhere,
    /// Under the encoder's prefix, but nothing the encoder knows.
    Unknown,
}

/// The CLS token's key, which tells the scheme; the longest first, for one ends in another.
const CLS: [(&str, Scheme); 3] = [
    ("embeddings.class_embedding", Scheme::OpenGvLab),
    ("embeddings.cls_token", Scheme::HuggingFace),
    ("cls_token", Scheme::Mmseg),
];

/// The patch embedding's weights, by which an encoder is told from a lone CLS token.
fn patches(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::OpenGvLab => "embeddings.patch_embedding.weight",
        Scheme::HuggingFace => "embeddings.patch_embeddings.projection.weight",
        Scheme::Mmseg => "patch_embed.proj.weight",
    }
}

/// The CLS token that a key is, by its place in the list, and what stands before its name.
fn cls(key: &str) -> Option<(usize, Naming)> {
    CLS.iter().enumerate().find_map(|(rank, (name, scheme))| {
        let prefix = key.strip_suffix(name)?;
        let whole = prefix.is_empty() || prefix.ends_with('.');
        let others = Vec::new();
        whole.then(|| (rank, Naming { prefix: prefix.into(), scheme: *scheme, others }))
    })
}

/// Parts of larger models that may share the encoder's prefix.
const NEIGHBOURS: [&str; 13] = [
    "up1.",
    "up2.",
    "up3.",
    "up4.",
    "clip_projector",
    "decode_head.",
    "auxiliary_head.",
    "mlp1.",
    "multi_modal_projector.",
    "language_model.",
    "lm_head.",
    "head.",
    "embeddings.mask_token",
];

/// (port, canonical) inside a layer.
const PORT: [(&str, &str); 9] = [
    ("layernorm_before.", "norm1."),
    ("layernorm_after.", "norm2."),
    ("attention.q_norm.", "attn.q_norm."),
    ("attention.k_norm.", "attn.k_norm."),
    ("attention.projection_layer.", "attn.proj."),
    ("lambda_1", "ls1"),
    ("lambda_2", "ls2"),
    ("mlp.fc1.", "mlp.fc1."),
    ("mlp.fc2.", "mlp.fc2."),
];

impl Naming {
    /// Finds scheme and prefix among a checkpoint's keys; `None` where no key is a CLS token.
    pub fn detect<'a>(keys: impl Iterator<Item = &'a str>) -> Option<Self> {
        let found = keys.filter_map(cls);
        found.min_by_key(|(rank, naming)| (*rank, naming.prefix.len())).map(|(_, naming)| naming)
    }

    /// Every encoder among a checkpoint's keys: a CLS token and a patch embedding behind one prefix.
    pub fn all<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<Self> {
        let keys: BTreeSet<&str> = keys.collect();
        let whole = |naming: &Naming| {
            let patches = format!("{}{}", naming.prefix, patches(naming.scheme));
            keys.contains(patches.as_str())
        };
        let found = keys.iter().filter_map(|key| cls(key)).map(|(_, naming)| naming);
        let mut all: Vec<Self> = found.filter(whole).collect();
        let prefixes: Vec<String> = all.iter().map(|naming| naming.prefix.clone()).collect();
        for naming in &mut all {
            let inside =
                |other: &&String| **other != naming.prefix && other.starts_with(&naming.prefix);
            naming.others = prefixes.iter().filter(inside).cloned().collect();
        }
        all
    }

    /// The canonical meaning of a checkpoint's key.
    pub fn read(&self, key: &str) -> Key {
        let Some(rest) = key.strip_prefix(&self.prefix) else { return Key::Elsewhere };
        if self.others.iter().any(|other| key.starts_with(other)) {
            return Key::Elsewhere;
        }
        if NEIGHBOURS.iter().any(|n| rest.starts_with(n)) {
            return Key::Elsewhere;
        }
        let renamed = match self.scheme {
            Scheme::OpenGvLab => Some(Key::Whole(rest.into())),
            Scheme::HuggingFace => from_port(rest),
            Scheme::Mmseg => from_mmseg(rest),
        };
        renamed.unwrap_or(Key::Unknown)
    }
}

fn from_port(rest: &str) -> Option<Key> {
    let whole = |name: &str| Some(Key::Whole(name.into()));
    if let Some(tail) = rest.strip_prefix("embeddings.patch_embeddings.projection.") {
        return Some(Key::Whole(format!("embeddings.patch_embedding.{tail}")));
    }
    match rest {
        "embeddings.cls_token" => return whole("embeddings.class_embedding"),
        "embeddings.position_embeddings" => return whole("embeddings.position_embedding"),
        "layernorm.weight" | "layernorm.bias" => return whole(rest),
        _ => {}
    }
    let (layer, name) = rest.strip_prefix("encoder.layer.")?.split_once('.')?;
    for (third, q) in ["q", "k", "v"].into_iter().enumerate() {
        if let Some(tail) = name.strip_prefix(&format!("attention.{q}_proj.")) {
            return Some(Key::Third(format!("encoder.layers.{layer}.attn.qkv.{tail}"), third));
        }
    }
    let (tail, canonical) = PORT.iter().find_map(|(p, c)| Some((name.strip_prefix(p)?, c)))?;
    Some(Key::Whole(format!("encoder.layers.{layer}.{canonical}{tail}")))
}

fn from_mmseg(rest: &str) -> Option<Key> {
    let name = match rest {
        "cls_token" => "embeddings.class_embedding".into(),
        "pos_embed" => "embeddings.position_embedding".into(),
        _ => {
            if let Some(tail) = rest.strip_prefix("patch_embed.proj.") {
                format!("embeddings.patch_embedding.{tail}")
            } else {
                let (layer, name) = rest.strip_prefix("blocks.")?.split_once('.')?;
                format!("encoder.layers.{layer}.{}", name.replace(".gamma", ""))
            }
        }
    };
    Some(Key::Whole(name))
}

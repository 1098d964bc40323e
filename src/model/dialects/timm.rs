//! Vision transformers as timm writes them: the name of an architecture, what differs from it under
//! `model_args`, and much that only the tensors tell.
//!
//! Source: timm's `vision_transformer.py`, `deit.py`, `eva.py` and `swin_transformer.py`.

use serde_json::Value;

use super::{Dialect, HALF, classes, clip, dinov3, no_text, squashed, swin};
use crate::Result;
use crate::image::{Filter, Normal};
use crate::model::Activation;
use crate::model::fields::Fields;
use crate::model::found::Found;
use crate::model::names::{Rule, Scheme, cut, elsewhere, part, same, whole};
use crate::model::spec::*;

/// As timm writes them.
pub(in crate::model) const DIALECT: Dialect = Dialect {
    types: &[],
    claims: |fields| architecture(fields).is_some_and(|name| Shape::of(name).is_some()),
    spec,
    settle,
    text: no_text,
    write: |_, _| {},
    schemes: &[NAMES],
};

/// The name of timm's architecture; what follows a dot tells the weights.
fn architecture<'a>(fields: &Fields<'a>) -> Option<&'a str> {
    fields.get("architecture")?.as_str()?.split('.').next()
}

/// What a name stands for.
#[derive(Clone, Copy)]
struct Shape {
    family: Family,
    sizes: Sizes,
}

#[derive(Clone, Copy, PartialEq)]
enum Family {
    Plain,
    Clip,
    Siglip,
    Deit3,
    Dinov3,
    Eva,
    Eva02,
    /// EVA02-CLIP's largest, whose norms follow.
    Enormous,
    Swin,
    /// ViT-22B's blocks.
    Parallel,
}

/// Names of sizes: width, blocks, heads, width of the MLP. The first that a name has counts.
const SIZES: [(&str, [usize; 4]); 17] = [
    ("_tiny", [192, 12, 3, 768]),
    ("_small", [384, 12, 6, 1536]),
    ("_medium", [512, 12, 8, 2048]),
    ("_base", [768, 12, 12, 3072]),
    ("_large", [1024, 24, 16, 4096]),
    ("_huge_plus", [1280, 32, 20, 5120]),
    ("_huge", [1280, 32, 16, 5120]),
    ("_giantopt", [1536, 40, 16, 6144]),
    ("_giant", [1408, 40, 16, 6144]),
    ("_gigantic", [1664, 48, 16, 8192]),
    ("_enormous", [1792, 64, 16, 15360]),
    ("_so400m", [1152, 27, 16, 4304]),
    ("_so150m2", [832, 21, 13, 2176]),
    ("_so150m", [896, 18, 14, 2304]),
    ("_xsmall", [256, 12, 4, 1024]),
    ("_7b", [4096, 40, 32, 8192]),
    ("_22b", [6144, 48, 48, 24576]),
];

/// timm's Swins: width, blocks and heads of each stage.
const SWINS: [(&str, usize, [usize; 4], [usize; 4]); 4] = [
    ("_tiny", 96, [2, 2, 6, 2], [3, 6, 12, 24]),
    ("_small", 96, [2, 2, 18, 2], [3, 6, 12, 24]),
    ("_base", 128, [2, 2, 18, 2], [4, 8, 16, 32]),
    ("_large", 192, [2, 2, 18, 2], [6, 12, 24, 48]),
];

impl Shape {
    fn of(name: &str) -> Option<Self> {
        let has = |part: &str| name.contains(part);
        let family = match name.split('_').next()? {
            "swin" if has("_window") => Family::Swin,
            "eva02" if has("_enormous") => Family::Enormous,
            "eva02" => Family::Eva02,
            "eva" => Family::Eva,
            "deit3" => Family::Deit3,
            "deit" => Family::Plain,
            "vit" if has("dinov3") => Family::Dinov3,
            "vit" if has("siglip") => Family::Siglip,
            "vit" if has("_clip") => Family::Clip,
            "vit" if has("_22b") => Family::Parallel,
            // Others differ in more than their sizes.
            "vit" if OTHERS.iter().any(|part| has(part)) => return None,
            "vit" => Family::Plain,
            _ => return None,
        };
        let (_, [hidden, layers, heads, mlp]) = SIZES.iter().find(|(part, _)| has(part))?;
        let (hidden, layers, heads, mlp) = (*hidden, *layers, *heads, *mlp);
        // A gated MLP of EVA-02's has two thirds of the width.
        let mlp = if family == Family::Eva02 { hidden * 8 / 3 } else { mlp };
        let numbers = |before: &str| {
            let after = name.split(before).nth(1)?;
            after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        let patch = numbers("_patch")?;
        let side = |part: &str| part.parse().ok().filter(|side: &usize| (64..=2048).contains(side));
        let other = if family == Family::Dinov3 { 256 } else { 224 };
        let image = name.split('_').filter_map(side).next_back().unwrap_or(other);
        let sizes = Sizes { hidden, layers, heads, mlp, patch, channels: 3, image };
        Some(Self { family, sizes })
    }

    /// Whether the MLP has a gate.
    fn gated(&self, name: &str) -> bool {
        let plus = name.contains("_plus") || name.contains("_7b");
        self.family == Family::Eva02 || self.family == Family::Dinov3 && plus
    }
}

/// Parts of the names of architectures that are none of these.
const OTHERS: [&str; 8] =
    ["dinov2", "_rope", "_relpos", "_resnet", "_r26", "_r50", "_srelpos", "_mci"];

fn spec(fields: &Fields<'_>) -> Result<Spec> {
    let name = architecture(fields).unwrap_or_default();
    named(fields, name, &fields.within("model_args"))
}

/// The spec of an architecture, with what `arguments` say of it.
pub(super) fn named(fields: &Fields<'_>, name: &str, arguments: &Fields<'_>) -> Result<Spec> {
    let own = Shape::of(name).ok_or_else(|| {
        fields.error(format_args!("the architecture {name:?} of timm is none that is known here"))
    })?;
    let image = match fields.within("pretrained_cfg").get("input_size") {
        Some(Value::Array(list)) if list.len() == 3 => fields.count("input_size", &list[2])?,
        _ => own.sizes.image,
    };
    let image = arguments.side("img_size", image)?;
    if own.family == Family::Swin {
        return swin_named(name, arguments, image);
    }
    let gated = own.gated(name);
    let sizes = sizes(own, gated, arguments, image)?;
    let mut spec = Spec { mlp: Mlp { activation: Activation::Erf, gated }, ..family(own.family, sizes) };
    if gated {
        spec.mlp.activation = Activation::Silu;
    } else if name.contains("quickgelu") {
        spec.mlp.activation = Activation::Quick;
    } else if own.family == Family::Siglip && sets_tanh(name) {
        spec.mlp.activation = Activation::Tanh;
    }
    let pool = [fields, arguments].map(|fields| fields.get("global_pool").and_then(Value::as_str));
    match pool[1].or(pool[0]) {
        None if name.contains("_gap_") => mean(&mut spec),
        None => {}
        Some("token") => (spec.pool, spec.final_norm) = (Pool::Cls, FinalNorm::Tokens),
        Some("map") => (spec.pool, spec.final_norm) = (Pool::Map, FinalNorm::Tokens),
        Some("") => spec.pool = Pool::None,
        Some("avg") if own.family == Family::Dinov3 => {}
        Some("avg") => mean(&mut spec),
        Some(other) => {
            return Err(fields.error(format_args!(
                "global_pool: expected \"token\", \"avg\" or \"map\", found {other:?}"
            )));
        }
    }
    said(&mut spec, name, arguments)?;
    Ok(spec)
}

/// The mean of the patches, normed when pooled.
fn mean(spec: &mut Spec) {
    (spec.pool, spec.final_norm) = (Pool::Mean, FinalNorm::Pooled);
}

/// timm's names whose activation is SigLIP's own; the others were given another.
fn sets_tanh(name: &str) -> bool {
    name.contains("patch32")
        || name.contains("large_patch16_siglip_512")
        || name.contains("so400m_patch16")
        || name.contains("giantopt")
}

fn sizes(own: Shape, gated: bool, arguments: &Fields<'_>, image: usize) -> Result<Sizes> {
    let hidden = arguments.size("embed_dim", own.sizes.hidden)?;
    let mlp = match arguments.get("mlp_ratio") {
        None if hidden == own.sizes.hidden => own.sizes.mlp,
        None if gated && own.family == Family::Eva02 => hidden * 8 / 3,
        _ => (hidden as f64 * arguments.number("mlp_ratio", 4.0, [0.1, 64.0])?) as usize,
    };
    Ok(Sizes {
        hidden,
        layers: arguments.size("depth", own.sizes.layers)?,
        heads: arguments.size("num_heads", own.sizes.heads)?,
        mlp,
        patch: arguments.side("patch_size", own.sizes.patch)?,
        channels: arguments.size("in_chans", 3)?,
        image,
    })
}

fn family(family: Family, sizes: Sizes) -> Spec {
    let table = |prefix| Position::Table { prefix, resample: Resample::BicubicAntialiased };
    let plain = Spec::plain(sizes);
    let rms = Norm { kind: NormKind::Rms, ..plain.norm };
    let plain = Spec { position: table(1), preprocessing: clip::cropped(), ..plain };
    let rope = Rope::Axial { theta: 1e4, places: Places::Grid(16), pairs: Pairs::Neighbours };
    let bare = Prefix { cls: false, ..plain.prefix };
    match family {
        Family::Plain | Family::Swin => {
            Spec { preprocessing: squashed(Filter::Bicubic, HALF, HALF), ..plain }
        }
        Family::Clip => Spec { final_norm: FinalNorm::Tokens, ..clip::tower(plain) },
        Family::Siglip => Spec {
            prefix: bare,
            position: table(0),
            pool: Pool::Map,
            preprocessing: squashed(Filter::Bicubic, HALF, HALF),
            ..plain
        },
        Family::Deit3 => {
            let imagenet = Normal::default();
            let preprocessing = squashed(Filter::Bicubic, imagenet.mean, imagenet.std);
            Spec { position: table(0), layer_scale: true, preprocessing, ..plain }
        }
        Family::Dinov3 => {
            let imagenet = Normal::default();
            Spec {
                prefix: Prefix { registers: 4, ..plain.prefix },
                qkv_bias: false,
                pool: Pool::Mean,
                preprocessing: squashed(Filter::Bicubic, imagenet.mean, imagenet.std),
                ..dinov3::encoder(sizes, 100.0)
            }
        }
        Family::Eva => Spec { key_bias: false, ..plain },
        Family::Enormous => Spec { key_bias: false, order: Order::ResidualPost, ..plain },
        Family::Eva02 => Spec {
            rope,
            key_bias: false,
            final_norm: FinalNorm::Pooled,
            pool: Pool::Mean,
            ..plain
        },
        Family::Parallel => Spec {
            prefix: bare,
            position: table(0),
            norm: rms,
            order: Order::Parallel,
            qk_norm: QkNorm::PerHead,
            qkv_bias: false,
            pool: Pool::Map,
            ..plain
        },
    }
}

fn swin_named(name: &str, arguments: &Fields<'_>, image: usize) -> Result<Spec> {
    let known = SWINS.iter().find(|(part, ..)| name.contains(part)).unwrap_or(&SWINS[0]);
    let window = name.split("_window").nth(1).and_then(|rest| rest.split('_').next()?.parse().ok());
    Ok(swin::encoder(swin::Shape {
        width: arguments.size("embed_dim", known.1)?,
        depths: arguments.counts("depths", &known.2)?,
        heads: arguments.counts("num_heads", &known.3)?,
        window: arguments.side("window_size", window.unwrap_or(7))?,
        ratio: arguments.number("mlp_ratio", 4.0, [0.1, 64.0])?,
        patch: arguments.side("patch_size", 4)?,
        channels: arguments.size("in_chans", 3)?,
        image,
    }))
}

/// What the arguments say beyond sizes.
fn said(spec: &mut Spec, name: &str, arguments: &Fields<'_>) -> Result<()> {
    if spec.mlp.gated {
        let small = name.contains("_tiny") || name.contains("_small");
        spec.sub_norm.mlp = spec.position != Position::None && !small;
        spec.sub_norm.attention = spec.sub_norm.mlp && name.contains("_clip");
    }
    if name.contains("_distilled") {
        spec.prefix.distillation = true;
        spec.position = Position::Table { prefix: 2, resample: Resample::BicubicAntialiased };
    }
    spec.prefix.cls = arguments.flag("class_token", spec.prefix.cls)?;
    let blocks = [("Block", Order::Pre), ("ParallelScalingBlock", Order::Parallel)];
    if arguments.get("block_fn").is_some() {
        spec.order = arguments.word("block_fn", "Block", &blocks)?;
    }
    let norms = [("RmsNorm", NormKind::Rms), ("LayerNorm", NormKind::Layer)];
    if arguments.get("norm_layer").is_some() {
        spec.norm.kind = arguments.word("norm_layer", "LayerNorm", &norms)?;
    }
    spec.norm.eps = arguments.eps("norm_eps", f64::from(spec.norm.eps))?;
    spec.qkv_bias = arguments.flag("qkv_bias", spec.qkv_bias)?;
    if arguments.flag("qk_norm", spec.qk_norm == QkNorm::PerHead)? {
        spec.qk_norm = QkNorm::PerHead;
    }
    spec.prefix.registers = arguments.tally("reg_tokens", spec.prefix.registers)?;
    for key in ["act_layer", "swiglu_mlp", "scale_mlp", "rotate_half", "rope_type"] {
        if let Some(value) = arguments.get(key) {
            return Err(arguments.error(format_args!(
                "model_args.{key}: expected what the architecture has, found {value}"
            )));
        }
    }
    Ok(())
}

/// Takes from the tensors what a name does not tell.
pub(super) fn settle(_: &Fields<'_>, spec: &mut Spec, found: &Found) -> Result<()> {
    let first = if spec.windows.is_some() { "blocks.0." } else { "" };
    let block = |name: &str| format!("encoder.layers.0.{first}{name}");
    let has = |name: &str| found.has(&block(name));
    spec.patch_bias = found.has("embeddings.patch_embedding.bias");
    spec.stem_norm = found.has("embeddings.norm.weight");
    spec.layer_scale = has("ls1");
    spec.qkv_bias = has("attn.qkv.bias");
    spec.key_bias = !spec.qkv_bias || found.has_third(&block("attn.qkv.bias"), 1);
    spec.sub_norm = SubNorm { attention: has("attn.norm.weight"), mlp: has("mlp.norm.weight") };
    spec.classifier = match classes(found) {
        Classifier::Classes(classes) if found.has("distillation_classifier.weight") => {
            Classifier::Distilled(classes)
        }
        other => other,
    };
    if spec.windows.is_none() {
        spec.prefix = Prefix {
            cls: found.has("embeddings.class_embedding"),
            distillation: found.has("embeddings.distillation_token"),
            registers: registers(found),
        };
        settle_position(spec, found);
    }
    // What a converted file no longer tells is as the configuration says.
    if found.has_key("fc_norm.weight") {
        spec.final_norm = FinalNorm::Pooled;
    } else if found.has_key("norm.weight") {
        spec.final_norm = FinalNorm::Tokens;
    }
    Ok(())
}

fn registers(found: &Found) -> usize {
    let name = "embeddings.register_tokens";
    if found.has(name) { found.size(name, 1).unwrap_or(0) } else { 0 }
}

/// How many prefix tokens have a row in the table: of the others it is in the token itself.
fn settle_position(spec: &mut Spec, found: &Found) {
    let name = "embeddings.position_embedding";
    let rows = found.size(name, 1).filter(|_| found.size(name, 2).is_some());
    let rows = rows.or_else(|| found.size(name, 0));
    match (rows, &mut spec.position) {
        (None, position) => *position = Position::None,
        (Some(rows), Position::Table { prefix, .. }) => {
            let native = (spec.sizes.image / spec.sizes.patch).pow(2);
            *prefix = rows.checked_sub(native).filter(|rows| *rows <= 2).unwrap_or(*prefix);
        }
        // The manifest tells of a table that the architecture has not.
        (Some(_), Position::None) => {}
    }
}

const NAMES: Scheme = Scheme {
    tokens: &["cls_token", "patch_embed.proj.weight"],
    patches: "patch_embed.proj.weight",
    behind: "",
    rules: &[&RULES, &BLOCK_RULES],
    beside: &[],
    elsewhere: &[
        "mask_token",
        "rope.",
        "rope_embed.",
        "local_cls_norm.",
        "decode_head.",
        "auxiliary_head.",
    ],
};

/// The same as the trunk of open_clip's towers, where the head is the projection.
pub(super) const TRUNK: Scheme = Scheme {
    behind: "trunk.",
    rules: &[&[whole("head.", "projection.")], &RULES, &BLOCK_RULES],
    beside: &[whole("head.proj.", "projection.")],
    ..NAMES
};

const RULES: [Rule; 20] = [
    whole("cls_token", "embeddings.class_embedding"),
    whole("dist_token", "embeddings.distillation_token"),
    whole("reg_token", "embeddings.register_tokens"),
    whole("register_tokens", "embeddings.register_tokens"),
    whole("storage_tokens", "embeddings.register_tokens"),
    whole("pos_embed", "embeddings.position_embedding"),
    whole("patch_embed.proj.", "embeddings.patch_embedding."),
    whole("norm_pre.", "embeddings.norm."),
    whole("norm.", "layernorm."),
    whole("fc_norm.", "layernorm."),
    whole("attn_pool.latent", "pool.probe"),
    whole("attn_pool.q.", "pool.q."),
    whole("attn_pool.kv.", "pool.kv."),
    whole("attn_pool.proj.", "pool.proj."),
    whole("attn_pool.norm.", "pool.norm."),
    whole("attn_pool.mlp.fc1.", "pool.mlp.fc1."),
    whole("attn_pool.mlp.fc2.", "pool.mlp.fc2."),
    whole("head.", "classifier."),
    whole("head_dist.", "distillation_classifier."),
    same("classifier."),
];

const BLOCK_RULES: [Rule; 38] = [
    elsewhere("blocks.*.attn.qkv.bias_mask"),
    elsewhere("blocks.*.attn.rope."),
    whole("blocks.*.norm1.", "encoder.layers.*.norm1."),
    whole("blocks.*.norm2.", "encoder.layers.*.norm2."),
    whole("blocks.*.attn.qkv.", "encoder.layers.*.attn.qkv."),
    part("blocks.*.attn.q_bias", "encoder.layers.*.attn.qkv.bias", [0, 3]),
    part("blocks.*.attn.k_bias", "encoder.layers.*.attn.qkv.bias", [1, 3]),
    part("blocks.*.attn.v_bias", "encoder.layers.*.attn.qkv.bias", [2, 3]),
    part("blocks.*.attn.q_proj.", "encoder.layers.*.attn.qkv.", [0, 3]),
    part("blocks.*.attn.k_proj.", "encoder.layers.*.attn.qkv.", [1, 3]),
    part("blocks.*.attn.v_proj.", "encoder.layers.*.attn.qkv.", [2, 3]),
    whole("blocks.*.attn.q_norm.", "encoder.layers.*.attn.q_norm."),
    whole("blocks.*.attn.k_norm.", "encoder.layers.*.attn.k_norm."),
    whole("blocks.*.attn.norm.", "encoder.layers.*.attn.norm."),
    whole("blocks.*.attn.inner_attn_ln.", "encoder.layers.*.attn.norm."),
    whole("blocks.*.attn.proj.", "encoder.layers.*.attn.proj."),
    whole("blocks.*.ls1.gamma", "encoder.layers.*.ls1"),
    whole("blocks.*.ls2.gamma", "encoder.layers.*.ls2"),
    whole("blocks.*.gamma_1", "encoder.layers.*.ls1"),
    whole("blocks.*.gamma_2", "encoder.layers.*.ls2"),
    whole("blocks.*.mlp.fc1.", "encoder.layers.*.mlp.fc1."),
    part("blocks.*.mlp.fc1_g.", "encoder.layers.*.mlp.fc1.", [0, 2]),
    part("blocks.*.mlp.fc1_x.", "encoder.layers.*.mlp.fc1.", [1, 2]),
    whole("blocks.*.mlp.norm.", "encoder.layers.*.mlp.norm."),
    whole("blocks.*.mlp.ffn_ln.", "encoder.layers.*.mlp.norm."),
    whole("blocks.*.mlp.fc2.", "encoder.layers.*.mlp.fc2."),
    // The original code of DINOv2 and v3, and EVA's.
    whole("blocks.*.mlp.w12.", "encoder.layers.*.mlp.fc1."),
    part("blocks.*.mlp.w1.", "encoder.layers.*.mlp.fc1.", [0, 2]),
    part("blocks.*.mlp.w2.", "encoder.layers.*.mlp.fc1.", [1, 2]),
    whole("blocks.*.mlp.w3.", "encoder.layers.*.mlp.fc2."),
    // A block whose two branches have one norm, and one matrix before them.
    whole("blocks.*.in_norm.", "encoder.layers.*.norm1."),
    cut(
        "blocks.*.in_proj.weight",
        &["encoder.layers.*.mlp.fc1.weight", "encoder.layers.*.attn.qkv.weight"],
    ),
    whole("blocks.*.mlp_bias", "encoder.layers.*.mlp.fc1.bias"),
    whole("blocks.*.q_norm.", "encoder.layers.*.attn.q_norm."),
    whole("blocks.*.k_norm.", "encoder.layers.*.attn.k_norm."),
    whole("blocks.*.attn_out_proj.", "encoder.layers.*.attn.proj."),
    whole("blocks.*.mlp_out_proj.", "encoder.layers.*.mlp.fc2."),
    elsewhere("blocks.*.attn.relative_position_index"),
];

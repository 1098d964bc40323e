//! Vision transformers as timm writes them: the name of an architecture, what differs from it under
//! `model_args`, and much that only the tensors tell.
//!
//! Source: timm's `vision_transformer.py`, `deit.py`, `eva.py` and `swin_transformer.py`.

mod names;
mod settle;

use serde_json::Value;

pub(super) use names::TRUNK;
pub(super) use settle::settle;

use super::{Dialect, HALF, clip, dinov3, no_text, squashed, swin};
use crate::Result;
use crate::image::{Filter, Normal};
use crate::model::Activation;
use crate::model::fields::Fields;
use crate::model::spec::*;

/// As timm writes them.
pub(in crate::model) const DIALECT: Dialect = Dialect {
    types: &[],
    claims: |fields| architecture(fields).is_some_and(|name| Shape::of(name).is_some()),
    spec,
    settle,
    text: no_text,
    write: |_, _| {},
    schemes: &[names::NAMES],
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
    let mut spec =
        Spec { mlp: Mlp { activation: Activation::Erf, gated }, ..family(own.family, sizes) };
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
        Family::Eva02 => {
            Spec { rope, key_bias: false, final_norm: FinalNorm::Pooled, pool: Pool::Mean, ..plain }
        }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use crate::model::{
        Activation, FinalNorm, Order, Pool, Position, Rope, Spec, Windows, parse_config,
    };

    fn spec(name: &str) -> Spec {
        parse_config("c", &format!(r#"{{"architecture": "{name}"}}"#)).unwrap()
    }

    /// Width, blocks, heads, width of the MLP, patch and picture of timm's architectures.
    #[test]
    fn published_shapes() {
        for (name, expected) in [
            ("vit_tiny_patch16_224.augreg_in21k_ft_in1k", [192, 12, 3, 768, 16, 224]),
            ("vit_base_patch8_224", [768, 12, 12, 3072, 8, 224]),
            ("vit_large_patch14_clip_336.openai", [1024, 24, 16, 4096, 14, 336]),
            ("vit_gigantic_patch14_clip_224", [1664, 48, 16, 8192, 14, 224]),
            ("vit_so400m_patch14_siglip_384", [1152, 27, 16, 4304, 14, 384]),
            ("deit3_huge_patch14_224", [1280, 32, 16, 5120, 14, 224]),
            ("vit_huge_plus_patch16_dinov3.lvd1689m", [1280, 32, 20, 5120, 16, 256]),
            ("vit_7b_patch16_dinov3", [4096, 40, 32, 8192, 16, 256]),
            ("eva02_large_patch14_448.mim_m38m_ft_in22k", [1024, 24, 16, 2730, 14, 448]),
            ("eva02_enormous_patch14_clip_224.laion2b", [1792, 64, 16, 15360, 14, 224]),
            ("eva_giant_patch14_clip_224", [1408, 40, 16, 6144, 14, 224]),
            ("vit_22b_patch14_224", [6144, 48, 48, 24576, 14, 224]),
        ] {
            let s = spec(name).sizes;
            assert_eq!([s.hidden, s.layers, s.heads, s.mlp, s.patch, s.image], expected, "{name}");
        }
        let swin = spec("swin_base_patch4_window12_384.ms_in22k").windows.unwrap();
        let heads = vec![4, 8, 16, 32];
        assert_eq!(swin, Windows { side: 12, depths: vec![2, 2, 18, 2], heads });
    }

    #[test]
    fn families() {
        let clip = spec("vit_base_patch32_clip_quickgelu_224.openai");
        assert_eq!((clip.mlp.activation, clip.norm.eps), (Activation::Quick, 1e-5));
        assert!(clip.stem_norm && clip.final_norm == FinalNorm::Tokens);
        for (name, activation, pool) in [
            ("vit_base_patch16_siglip_224", Activation::Erf, Pool::Map),
            ("vit_base_patch32_siglip_256", Activation::Tanh, Pool::Map),
            ("vit_so400m_patch14_siglip_gap_448", Activation::Erf, Pool::Mean),
        ] {
            let siglip = spec(name);
            assert_eq!((siglip.mlp.activation, siglip.pool), (activation, pool), "{name}");
            assert_eq!(siglip.prefix_tokens(), 0, "{name}");
        }
        let eva = spec("eva02_base_patch14_448");
        assert!(matches!(eva.rope, Rope::Axial { theta: 1e4, .. }) && eva.mlp.gated);
        assert!(eva.sub_norm.mlp && !eva.sub_norm.attention);
        let clip = spec("eva02_base_patch16_clip_224").sub_norm;
        assert!(clip.mlp && clip.attention);
        let enormous = spec("eva02_enormous_patch14_clip_224");
        assert_eq!((enormous.order, enormous.rope), (Order::ResidualPost, Rope::None));
        let three = spec("deit3_small_patch16_224");
        assert!(three.layer_scale && matches!(three.position, Position::Table { prefix: 0, .. }));
        let dino = spec("vit_small_patch16_dinov3");
        assert_eq!((dino.pool, dino.final_norm), (Pool::Mean, FinalNorm::Tokens));
        assert_eq!((dino.prefix_tokens(), dino.norm.eps, dino.qkv_bias), (5, 1e-5, false));
        let distilled = spec("deit_small_distilled_patch16_224").prefix;
        assert!(distilled.cls && distilled.distillation);
    }

    #[test]
    fn what_is_said_counts() {
        let text = r#"{"architecture": "vit_base_patch16_224", "global_pool": "avg",
            "model_args": {"embed_dim": 96, "norm_eps": 1e-5, "reg_tokens": 2}}"#;
        let spec = parse_config("c", text).unwrap();
        assert_eq!((spec.sizes.hidden, spec.sizes.mlp, spec.norm.eps), (96, 384, 1e-5));
        assert_eq!((spec.pool, spec.final_norm), (Pool::Mean, FinalNorm::Pooled));
        let wrong = text.replace(r#""norm_eps": 1e-5"#, r#""act_layer": "relu""#);
        let error = parse_config("c", &wrong).unwrap_err().to_string();
        assert!(error.contains("model_args.act_layer"), "{error}");
    }
}

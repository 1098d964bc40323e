//! Published encoders, by what they are good for. Names and licences were read on their pages of the hub; what was
//! not is left out.

use internvit::Result;
use internvit::model::{CATALOGUE, Spec, parse_config};
use internvit::plan::{Input, parameters, record};

/// What an encoder is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Small,
    Classes,
    Words,
    Medium,
    Large,
}

/// All of them, in the order of their size, and what is said of each.
pub(super) const PURPOSES: [(Purpose, &str, &str); 5] = [
    (Purpose::Small, "small", "Small: features for simple tasks, on any device"),
    (Purpose::Classes, "classes", "Classes: a thousand names for what a picture shows"),
    (
        Purpose::Words,
        "words",
        "Words: pictures and texts compared, for labels of your own and search",
    ),
    (Purpose::Medium, "medium", "Medium: segmentation, matching, deep understanding"),
    (Purpose::Large, "large", "Large: what multi-modal systems see with"),
];

/// A published encoder.
pub(super) struct Published {
    pub(super) name: String,
    pub(super) purpose: Purpose,
    pub(super) spec: Spec,
    /// Bytes of a stored parameter.
    stored: u64,
    /// None where its page names none.
    pub(super) licence: Option<&'static str>,
    /// Whether the hub asks to accept the licence first.
    pub(super) gated: bool,
    pub(super) advice: &'static str,
}

impl Published {
    pub(super) fn parameters(&self) -> u64 {
        parameters(&self.spec)
    }

    /// Bytes of its tensors as they are published.
    pub(super) fn bytes(&self) -> u64 {
        self.stored * self.parameters()
    }

    /// Bytes of its weights on a device, in 32 bits.
    pub(super) fn memory(&self) -> u64 {
        4 * self.parameters()
    }

    /// 10⁹ operations for one picture of its own size.
    pub(super) fn gflop(&self) -> f64 {
        let side = self.spec.sizes.image / self.spec.sizes.patch * self.spec.sizes.patch;
        let plan = record(&self.spec, Input::Rgba { height: side, width: side }, 1, &[]);
        plan.steps.iter().map(|step| plan.flop(step, 1)).sum::<f64>() / 1e9
    }
}

/// Purpose, name, what its config.json says of its shape, licence, whether it is gated, advice.
type Row = (Purpose, &'static str, &'static str, Option<&'static str>, bool, &'static str);

const APACHE: Option<&str> = Some("Apache-2.0");
const DINOV3: Option<&str> = Some("DINOv3 License");

/// All but InternViT, stored in 32 bits.
const OTHERS: [Row; 9] = [
    (
        Purpose::Small,
        "facebook/dinov2-small",
        r#"{"model_type": "dinov2", "hidden_size": 384, "num_attention_heads": 6, "image_size": 518}"#,
        APACHE,
        false,
        "Comes with the program, in 8 bits; take it until something is missing.",
    ),
    (
        Purpose::Small,
        "facebook/dinov3-vits16-pretrain-lvd1689m",
        r#"{"model_type": "dinov3_vit", "num_register_tokens": 4}"#,
        DINOV3,
        true,
        "Registers keep its maps clean; of DINOv2's size, where its licence suits you.",
    ),
    (
        Purpose::Classes,
        "microsoft/swin-tiny-patch4-window7-224",
        r#"{"model_type": "swin"}"#,
        APACHE,
        false,
        "A quarter of ViT-B's work, which grows only with a picture's area.",
    ),
    (
        Purpose::Classes,
        "google/vit-base-patch16-224",
        r#"{"model_type": "vit"}"#,
        APACHE,
        false,
        "The plain vision transformer, what others are compared with.",
    ),
    (
        Purpose::Words,
        "openai/clip-vit-base-patch32",
        r#"{"model_type": "clip", "projection_dim": 512, "vision_config": {"model_type": "clip_vision_model"}}"#,
        None,
        false,
        "The quickest; its large patches find whole things, not small ones.",
    ),
    (
        Purpose::Words,
        "google/siglip-base-patch16-224",
        r#"{"model_type": "siglip", "vision_config": {"model_type": "siglip_vision_model"}}"#,
        APACHE,
        false,
        "Judges each label by itself, and sees four times as many patches as CLIP B/32.",
    ),
    (
        Purpose::Medium,
        "facebook/dinov2-base",
        r#"{"model_type": "dinov2", "image_size": 518}"#,
        APACHE,
        false,
        "Twice as many numbers a patch as small, at three times its work.",
    ),
    (
        Purpose::Medium,
        "facebook/dinov3-vitb16-pretrain-lvd1689m",
        r#"{"model_type": "dinov3_vit", "num_register_tokens": 4, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}"#,
        DINOV3,
        true,
        "Strong features of every patch, where its licence suits you.",
    ),
    (
        Purpose::Medium,
        "facebook/dinov3-vitl16-pretrain-lvd1689m",
        r#"{"model_type": "dinov3_vit", "num_register_tokens": 4, "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}"#,
        DINOV3,
        true,
        "The same for a GPU with memory to spare.",
    ),
];

/// All published encoders, by purpose.
pub(super) fn published() -> Result<Vec<Published>> {
    let mut all = Vec::new();
    for (purpose, name, config, licence, gated, advice) in OTHERS {
        let mut spec = parse_config(name, config)?;
        if purpose == Purpose::Words && spec.image_features().is_none() {
            spec.pool = internvit::model::Pool::Map;
        }
        all.push(Published { name: name.into(), purpose, spec, stored: 4, licence, gated, advice });
    }
    for entry in &CATALOGUE {
        let small = entry.layers == 24;
        let (purpose, licence, advice) = match (small, entry.name.ends_with("V2_5")) {
            (true, true) => (
                Purpose::Medium,
                Some("MIT"),
                "What InternVL 2.5 and 3 see with in their smaller sizes.",
            ),
            (true, false) => (
                Purpose::Medium,
                Some("MIT"),
                "What InternVL2 sees with; the newer V2_5 is of the same size.",
            ),
            (false, true) => (
                Purpose::Large,
                None,
                "The newest of the large ones; stream its layers where memory is short.",
            ),
            (false, false) if entry.image == 224 => (
                Purpose::Large,
                None,
                "Learned beside texts, for pictures of 224 px; the best of these at linear probes.",
            ),
            (false, false) => (
                Purpose::Large,
                None,
                "For what was built on it; V2_5 is newer, with the same work.",
            ),
        };
        let (name, spec) = (entry.repository(), entry.spec());
        all.push(Published { name, purpose, spec, stored: 2, licence, gated: false, advice });
    }
    all.sort_by_key(|one| PURPOSES.iter().position(|(purpose, ..)| *purpose == one.purpose));
    Ok(all)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Against the counts of their papers and pages, in millions; the work of InternViT-300M is known by hand.
    #[test]
    fn shapes_are_the_published() {
        let all = published().unwrap();
        let counts = [
            ("facebook/dinov2-small", 22.1),
            ("facebook/dinov2-base", 86.6),
            ("facebook/dinov3-vits16-pretrain-lvd1689m", 21.6),
            ("facebook/dinov3-vitb16-pretrain-lvd1689m", 85.7),
            ("facebook/dinov3-vitl16-pretrain-lvd1689m", 303.1),
            ("microsoft/swin-tiny-patch4-window7-224", 27.5),
            ("google/vit-base-patch16-224", 85.8),
            ("openai/clip-vit-base-patch32", 87.8),
            ("google/siglip-base-patch16-224", 92.9),
            ("OpenGVLab/InternViT-300M-448px", 304.0),
        ];
        for (name, millions) in counts {
            let one = all.iter().find(|one| one.name == name).unwrap();
            let found = one.parameters() as f64 / 1e6;
            assert!((found - millions).abs() < 0.1 + 0.008 * millions, "{name}: {found} M");
        }
        let small = all.iter().find(|one| one.name.ends_with("300M-448px")).unwrap();
        assert!((small.gflop() - 723.6).abs() < 1.0, "{}", small.gflop());
        assert!(all.iter().all(|one| one.advice.ends_with('.') && one.gflop() > 1.0));
        assert_eq!(all.len(), OTHERS.len() + CATALOGUE.len());
    }
}

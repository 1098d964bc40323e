//! Published encoders, by what they are good for, as the library's list has them.

use internvit::Result;
use internvit::model::{PUBLISHED, Spec, parse_config};
use internvit::plan::{Input, parameters, record};
use serde::Deserialize;
use serde_json::Value;

/// What encoders are good for, the smallest first.
#[derive(Deserialize)]
pub(super) struct Purpose {
    /// In one word.
    pub(super) purpose: String,
    pub(super) title: String,
    pub(super) models: Vec<Published>,
}

/// A published encoder.
#[derive(Deserialize)]
pub(super) struct Published {
    pub(super) name: String,
    /// None where its page names none.
    pub(super) licence: Option<String>,
    /// Whether the hub asks to accept the licence first.
    pub(super) gated: bool,
    pub(super) advice: String,
    /// Bits of a stored parameter.
    bits: u64,
    /// What its `config.json` says of its shape.
    config: Value,
}

/// The same, measured.
pub(super) struct Measured {
    pub(super) spec: Spec,
    pub(super) parameters: u64,
    /// Bytes of its tensors as they are published.
    pub(super) bytes: u64,
    /// Bytes of its weights on a device, in 32 bits.
    pub(super) memory: u64,
    /// 10⁹ operations for one picture of its own size.
    pub(super) gflop: f64,
}

/// All published encoders, by purpose.
pub(super) fn published() -> Vec<Purpose> {
    serde_json::from_str(PUBLISHED).unwrap_or_else(|e| unreachable!("a part of the program: {e}"))
}

impl Published {
    pub(super) fn measure(&self) -> Result<Measured> {
        let spec = parse_config(&self.name, &self.config.to_string())?;
        let side = spec.native_grid() * spec.sizes.patch;
        let plan = record(&spec, Input::Rgba { height: side, width: side }, 1, &[]);
        let gflop = plan.steps.iter().map(|step| plan.flop(step, 1)).sum::<f64>() / 1e9;
        let parameters = parameters(&spec);
        let (bytes, memory) = (self.bits / 8 * parameters, 4 * parameters);
        Ok(Measured { spec, parameters, bytes, memory, gflop })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use internvit::model::CATALOGUE;

    /// Against the counts of their papers and pages, in millions; the work of InternViT-300M is known by hand.
    #[test]
    fn shapes_are_the_published() {
        let all: Vec<_> = published().into_iter().flat_map(|purpose| purpose.models).collect();
        let measured = |name: &str| all.iter().find(|one| one.name == name).unwrap().measure();
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
            let found = measured(name).unwrap().parameters as f64 / 1e6;
            assert!((found - millions).abs() < 0.1 + 0.008 * millions, "{name}: {found} M");
        }
        let work = measured("OpenGVLab/InternViT-300M-448px").unwrap().gflop;
        assert!((work - 723.6).abs() < 1.0, "{work}");
        assert!(all.iter().all(|one| one.advice.ends_with('.')));
        for entry in &CATALOGUE {
            let spec = measured(&entry.repository()).unwrap().spec;
            assert_eq!(spec, entry.spec(), "{}", entry.name);
        }
    }

    /// The figures that the page shows are those of the shapes.
    #[test]
    fn figures_are_of_the_shapes() {
        let list: Value = serde_json::from_str(PUBLISHED).unwrap();
        let groups = list.as_array().unwrap().iter();
        let figures = groups.flat_map(|group| group["models"].as_array().unwrap());
        let models = published().into_iter().flat_map(|purpose| purpose.models);
        let mut wrong = Vec::new();
        for (model, said) in models.zip(figures) {
            let Measured { spec, parameters, .. } = model.measure().unwrap();
            let sizes = spec.sizes;
            let found = [
                ("image", sizes.image as u64),
                ("patch", sizes.patch as u64),
                ("layers", spec.windows.map_or(sizes.layers, |w| w.depths.iter().sum()) as u64),
                ("hidden", sizes.hidden as u64),
                ("parameters", parameters),
            ];
            let wanted = found.iter().map(|(key, value)| format!("{key}: {value}"));
            let same = found.iter().all(|(key, value)| said[*key] == *value);
            wrong.extend(
                (!same)
                    .then(|| format!("{}: {}", model.name, wanted.collect::<Vec<_>>().join(", "))),
            );
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

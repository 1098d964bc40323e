//! What published encoders take, by the shapes that the library's list has of them.

use internvit::Result;
use internvit::model::{Published, Spec, parse_config};
use internvit::plan::{Input, parameters, record};

/// A published encoder, by its shape.
pub(super) struct Measured {
    pub(super) spec: Spec,
    pub(super) parameters: u64,
    /// Bytes of its weights on a device, in 32 bits.
    pub(super) memory: u64,
    /// 10⁹ operations for one picture of its own size.
    pub(super) gflop: f64,
}

/// Measures what `published` describes.
pub(super) fn measure(published: &Published) -> Result<Measured> {
    let spec = parse_config(&published.name, &published.config.to_string())?;
    let side = spec.native_grid() * spec.sizes.patch;
    let plan = record(&spec, Input::Rgba { height: side, width: side }, 1, &[]);
    let gflop = plan.steps.iter().map(|step| plan.flop(step, 1)).sum::<f64>() / 1e9;
    let parameters = parameters(&spec);
    Ok(Measured { spec, parameters, memory: 4 * parameters, gflop })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use internvit::model::{CATALOGUE, published};

    /// Against the counts of their papers and pages, in millions; the work of InternViT-300M is known by hand.
    #[test]
    fn shapes_are_the_published() {
        let all: Vec<_> = published().into_iter().flat_map(|purpose| purpose.models).collect();
        let measured = |name: &str| measure(all.iter().find(|one| one.name == name).unwrap());
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
        let models = published().into_iter().flat_map(|purpose| purpose.models);
        let mut wrong = Vec::new();
        for model in models {
            let Measured { spec, parameters, .. } = measure(&model).unwrap();
            let sizes = spec.sizes;
            let layers = spec.windows.map_or(sizes.layers, |w| w.depths.iter().sum());
            let found = [sizes.image, sizes.patch, layers, sizes.hidden].map(|size| size as u64);
            let said = [model.image, model.patch, model.layers, model.hidden];
            if (found, parameters) != (said, model.parameters) {
                wrong.push(format!("{}: {found:?}, {parameters} parameters", model.name));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

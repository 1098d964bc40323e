//! What the list of models says of each.

use internvit::model::Published;

/// What is said of a model that comes with the program, by its name.
pub(crate) fn told_built_in(name: &str) -> &'static str {
    match name {
        "dinov2-small" => "DINOv2 ViT-S/14 in 8 bits, 25 MB: comes with the program.",
        "internvit-tiny" => "InternViT-Tiny, 11 MB: comes with the program, and names materials.",
        _ => "Comes with the program.",
    }
}

/// A published encoder's size, its licence and what is said of it.
pub(crate) fn told(model: &Published) -> String {
    let (millions, megabytes) = (model.parameters as f64 / 1e6, model.bytes() as f64 / 1e6);
    let Published { advice, .. } = model;
    format!("{advice} {millions:.0} M parameters, {megabytes:.0} MB; {}.", model.terms())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_of_the_program_is_told() {
        for name in internvit::Checkpoint::BUILT_IN {
            assert_ne!(told_built_in(name), told_built_in("another"), "{name}");
        }
    }

    #[test]
    fn the_list_is_read() {
        let purposes = internvit::model::published();
        assert!(purposes.len() > 2);
        let one = &purposes[0].models[0];
        assert_eq!(one.name, "facebook/dinov2-small");
        let told = told(one);
        assert!(told.contains("22 M parameters, 88 MB; licence: Apache-2.0."), "{told}");
    }
}

//! Published encoders by what they are good for, as the library's list has them.

use internvit::model::PUBLISHED;
use serde::Deserialize;

/// What encoders are good for, the smallest first.
#[derive(Deserialize)]
pub(crate) struct Purpose {
    pub(crate) title: String,
    pub(crate) models: Vec<Published>,
}

/// A published encoder.
#[derive(Deserialize)]
pub(crate) struct Published {
    pub(crate) name: String,
    /// None where its page names none.
    pub(crate) licence: Option<String>,
    /// Whether the hub asks to accept the licence first.
    pub(crate) gated: bool,
    pub(crate) advice: String,
    /// Bits of a stored parameter.
    bits: u64,
    parameters: u64,
}

/// The models that come with the program, and what is said of them.
pub(crate) const BUILT_IN: [(&str, &str); 2] = [
    ("dinov2-small", "DINOv2 ViT-S/14 in 8 bits, 25 MB: comes with the program."),
    ("internvit-tiny", "InternViT-Tiny, 11 MB: comes with the program, and names materials."),
];

/// All published encoders, by purpose.
pub(crate) fn published() -> Vec<Purpose> {
    serde_json::from_str(PUBLISHED).unwrap_or_default()
}

impl Published {
    /// Its size, its licence and what is said of it.
    pub(crate) fn told(&self) -> String {
        let (millions, megabytes) =
            (self.parameters as f64 / 1e6, (self.bits / 8 * self.parameters) as f64 / 1e6);
        let licence = self.licence.as_deref().unwrap_or("see its page");
        let gated = if self.gated { ", to be accepted on its page first" } else { "" };
        format!(
            "{} {millions:.0} M parameters, {megabytes:.0} MB; licence: {licence}{gated}.",
            self.advice
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read() {
        let purposes = published();
        assert!(purposes.len() > 2);
        let one = &purposes[0].models[0];
        assert_eq!(one.name, "facebook/dinov2-small");
        assert!(
            one.told().contains("22 M parameters, 88 MB; licence: Apache-2.0."),
            "{}",
            one.told()
        );
    }
}

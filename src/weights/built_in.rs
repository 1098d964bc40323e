//! Models whose weights are crates: a name for each, which every program knows.

use super::Checkpoint;
use crate::{Error, Result};

impl Checkpoint {
    /// Names of the models that come as crates, each by a feature of this one: `dinov2-small` and `bundled`.
    pub const BUILT_IN: [&'static str; 2] = ["dinov2-small", "internvit-tiny"];

    /// A model of [`Checkpoint::BUILT_IN`] by its name; none for any other.
    ///
    /// # Errors
    /// [`Error::Input`] where the feature that brings it is off.
    pub async fn built_in(name: &str) -> Option<Result<Self>> {
        match name {
            "dinov2-small" => Some(dinov2_small().await),
            "internvit-tiny" => Some(internvit_tiny().await),
            _ => None,
        }
    }

    /// The model that is this crate's default: InternViT-Tiny, 224 px, 5.5 M parameters.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    #[cfg(feature = "bundled")]
    pub async fn bundled() -> Result<Self> {
        internvit_tiny().await
    }
}

#[cfg(feature = "dinov2-small")]
async fn dinov2_small() -> Result<Checkpoint> {
    use internvit_dinov2_small::{CONFIG, PREPROCESSING, WEIGHTS};
    let weights = super::Source::memory("dinov2-small/model.safetensors", WEIGHTS);
    Checkpoint::open("dinov2-small", CONFIG, vec![weights]).await?.preprocess_as(PREPROCESSING)
}

#[cfg(not(feature = "dinov2-small"))]
#[allow(clippy::unused_async, reason = "as with the feature")]
async fn dinov2_small() -> Result<Checkpoint> {
    Err(without("dinov2-small", "dinov2-small"))
}

#[cfg(feature = "bundled")]
async fn internvit_tiny() -> Result<Checkpoint> {
    use internvit_tiny::{CONFIG, WEIGHTS};
    let weights = super::Source::memory("internvit-tiny/model.safetensors", WEIGHTS);
    Checkpoint::open("internvit-tiny", CONFIG, vec![weights]).await
}

#[cfg(not(feature = "bundled"))]
#[allow(clippy::unused_async, reason = "as with the feature")]
async fn internvit_tiny() -> Result<Checkpoint> {
    Err(without("internvit-tiny", "bundled"))
}

/// A model that this build has not.
#[cfg_attr(
    all(feature = "bundled", feature = "dinov2-small"),
    allow(dead_code, reason = "all models are there")
)]
fn without(name: &str, feature: &str) -> Error {
    Error::input(format!(
        "{name}: its weights are not in this program: turn on the feature `{feature}` of the crate internvit, or \
         open a folder"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_is_missing_names_its_feature() {
        let said = without("dinov2-small", "dinov2-small").to_string();
        assert!(said.starts_with("dinov2-small: its weights are not in this program"), "{said}");
        assert!(said.contains("feature `dinov2-small` of the crate internvit"), "{said}");
        assert!(pollster::block_on(Checkpoint::built_in("dinov2")).is_none());
    }
}

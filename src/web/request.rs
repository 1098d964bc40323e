//! What the page may ask to see.

use serde::Deserialize;

/// A view. `layer` is 0 for the embedding, i for the output of block i.
#[derive(Deserialize)]
#[serde(try_from = "Fields")]
pub(super) enum Request {
    Pca { layer: usize, foreground: bool, swap: Option<bool>, basis: Basis },
    Similarity { layer: usize, token: usize, of: u32 },
    Attention { layer: usize, token: Option<usize>, head: Option<usize> },
    Rollout { layer: usize, token: Option<usize> },
    Clusters { layer: usize, k: usize },
    Norms { layer: usize },
    Segmentation {},
    Taught {},
}

/// The fields of all requests: one structure is a fifth of the code that an enum of them takes.
#[derive(Deserialize)]
struct Fields {
    view: View,
    layer: Option<usize>,
    token: Option<usize>,
    of: Option<u32>,
    head: Option<usize>,
    k: Option<usize>,
    foreground: Option<bool>,
    swap: Option<bool>,
    basis: Option<Basis>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum View {
    Pca,
    Similarity,
    Attention,
    Rollout,
    Clusters,
    Norms,
    Segmentation,
    Taught,
}

impl TryFrom<Fields> for Request {
    type Error = String;

    fn try_from(fields: Fields) -> std::result::Result<Self, String> {
        let missing = |name: &str| format!("missing field `{name}`");
        let Fields { view, token, head, swap, .. } = fields;
        let layer = fields.layer.ok_or_else(|| missing("layer"));
        Ok(match view {
            View::Pca => Self::Pca {
                layer: layer?,
                foreground: fields.foreground.ok_or_else(|| missing("foreground"))?,
                swap,
                basis: fields.basis.ok_or_else(|| missing("basis"))?,
            },
            View::Similarity => Self::Similarity {
                layer: layer?,
                token: token.ok_or_else(|| missing("token"))?,
                of: fields.of.ok_or_else(|| missing("of"))?,
            },
            View::Attention => Self::Attention { layer: layer?, token, head },
            View::Rollout => Self::Rollout { layer: layer?, token },
            View::Clusters => {
                Self::Clusters { layer: layer?, k: fields.k.ok_or_else(|| missing("k"))? }
            }
            View::Norms => Self::Norms { layer: layer? },
            View::Segmentation => Self::Segmentation {},
            View::Taught => Self::Taught {},
        })
    }
}

/// Whose colours a PCA picture has.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Basis {
    /// Its own.
    Own,
    /// Its own, which are kept for those to come.
    Keep,
    /// Those kept before.
    Kept,
}

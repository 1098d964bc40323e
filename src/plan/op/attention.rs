use crate::plan::Plane;

/// `softmax(q·kᵀ / √d) · v` for every head over all tokens of one picture.
///
/// y is `[tokens, heads·d]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// Queries, `[tokens, heads·d]`.
    pub q: Plane,
    /// Keys, `[tokens, heads·d]`.
    pub k: Plane,
    /// Values, `[tokens, heads·d]`.
    pub v: Plane,
    /// Number of heads.
    pub heads: usize,
}

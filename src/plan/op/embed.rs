use crate::plan::SlotId;

/// Puts the class token before the patches and adds positions.
///
/// y is `[1 + patches, C]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Embed {
    /// `[patches, C]`.
    pub patches: SlotId,
    /// `[1 + patches, C]`, shared by the batch.
    pub position: SlotId,
    /// The class token, `[C]`.
    pub cls: SlotId,
}

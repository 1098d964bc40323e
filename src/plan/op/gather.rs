use crate::plan::SlotId;

/// Rows in another order: `y[r] = x[index[r][0]] ‖ x[index[r][1]] ‖ …`, rows of zeros where an index is
/// negative, numbers of rows counted within a picture.
///
/// y is `[rows, parts·C]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Gather {
    /// `[rows', C]` of each picture, or shared by all; of language models also a matrix of weights, of which one row is
    /// taken at a time.
    pub x: SlotId,
    /// `[rows, parts]` whole numbers, of each picture or shared by all.
    pub index: SlotId,
    /// What the rows are added to, `[rows, parts·C]`.
    pub residual: Option<SlotId>,
}

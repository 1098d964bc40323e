use crate::plan::SlotId;

/// Ridge regression of every channel on the guide, pixel by pixel: the weights of red, green and blue
/// and the constant that explain the channel best in the mean over a window. With m the means of the
/// three colours, S their covariance and s their covariance with the channel, whose mean is v:
/// `a = (S + eps·1)⁻¹ · s`, `b = v - a·m`.
///
/// y is `[height·width, 4·C]`: of each channel a and b.
#[derive(Clone, Debug, PartialEq)]
pub struct Ridge {
    /// Means of the products of the guide with itself, `[height·width, 16]`.
    pub moments: SlotId,
    /// Means of the products of the channels with the guide, `[height·width, 4·C]`.
    pub x: SlotId,
    /// Added to the variances: what varies less is no edge.
    pub eps: f32,
}

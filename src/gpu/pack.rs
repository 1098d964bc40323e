//! The layout of a linear layer's weights: panels of 64 outputs, `w[panel][k][64]`, so that
//! neighbouring outputs are one vector load and a range of panels is a contiguous binding. The
//! last panel of each plane is filled with zeros.

use std::ops::Range;

/// Outputs of a panel.
pub const PANEL: usize = 64;

/// Values of a packed `[planes·cols, k]` matrix.
pub fn packed_len(planes: usize, cols: usize, k: usize) -> usize {
    planes * cols.div_ceil(PANEL) * PANEL * k
}

/// Packs the `panels` of a row-major `[planes·cols, k]` matrix.
pub fn pack_linear(w: &[f32], cols: usize, k: usize, panels: Range<usize>) -> Vec<f32> {
    let per_plane = cols.div_ceil(PANEL);
    let mut packed = vec![0.0; panels.len() * PANEL * k];
    for (panel, out) in panels.zip(packed.chunks_exact_mut(PANEL * k)) {
        let first = panel % per_plane * PANEL;
        for lane in 0..PANEL.min(cols - first) {
            let row = &w[(panel / per_plane * cols + first + lane) * k..][..k];
            for (i, value) in row.iter().enumerate() {
                out[i * PANEL + lane] = *value;
            }
        }
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_weight_is_where_the_kernel_looks() {
        let (planes, cols, k) = (3, 68, 4);
        let w: Vec<f32> = (0..planes * cols * k).map(|i| i as f32).collect();
        let packed = pack_linear(&w, cols, k, 0..planes * 2);
        assert_eq!(packed.len(), packed_len(planes, cols, k));
        for (o, row) in w.chunks_exact(k).enumerate() {
            let (panel, lane) = (o / cols * 2 + o % cols / PANEL, o % cols % PANEL);
            for (i, value) in row.iter().enumerate() {
                assert_eq!(packed[(panel * k + i) * PANEL + lane], *value);
            }
        }
        assert_eq!(pack_linear(&w, cols, k, 2..4), packed[2 * PANEL * k..4 * PANEL * k]);
    }
}

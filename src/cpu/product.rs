//! `y = α · x · Wᵀ + b` by a library, natively; in the browser `gemm` takes its place, with the same
//! functions.

use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::NdTensorView;

use crate::weights::StoredType;

/// W `[columns, k]`, packed by the library.
pub(super) struct Panels {
    packed: PackedBMatrix<f32>,
    columns: usize,
    k: usize,
}

impl Panels {
    /// Packs W; the value of column c at depth p is `w[c · strides[0] + p · strides[1]]`.
    pub(super) fn pack(w: &[f32], [columns, k]: [usize; 2], strides: [usize; 2]) -> Self {
        let w = &w[..(columns - 1) * strides[0] + (k - 1) * strides[1] + 1];
        let w = NdTensorView::from_data_with_strides([k, columns], w, [strides[1], strides[0]]);
        let w = w.expect("strides within W");
        Self { packed: GemmExecutor::<f32>::new().prepack_b(w), columns, k }
    }

    /// The same: the library multiplies f32 alone.
    pub(super) fn halved(self, _stored: StoredType) -> Self {
        self
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        4 * self.columns * self.k
    }
}

/// `x` is `rows` of length k, `stride` apart; `y` `[rows, columns]`; `bias` `[columns]`.
pub(super) fn product(
    x: &[f32],
    stride: usize,
    w: &Panels,
    alpha: f32,
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    let rows = y.len() / w.columns;
    let x = &x[..(rows - 1) * stride + w.k];
    let x = NdTensorView::from_data_with_strides([rows, w.k], x, [stride, 1]);
    multiply(x.expect("rows within x"), GemmInputB::Packed(&w.packed), alpha, bias, y);
}

/// The same with a W that is used once: `[k, columns]`, whose lines are `pitch` apart.
pub(super) fn product_once(
    x: &[f32],
    k: usize,
    (w, pitch): (&[f32], usize),
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    let rows = x.len() / k;
    let columns = y.len() / rows;
    let w = &w[..(k - 1) * pitch + columns];
    let w = NdTensorView::from_data_with_strides([k, columns], w, [pitch, 1]);
    let x = NdTensorView::from_data([rows, k], x);
    multiply(x, GemmInputB::Unpacked(w.expect("lines within W")), 1.0, bias, y);
}

fn multiply(
    x: NdTensorView<'_, f32, 2>,
    w: GemmInputB<'_, f32>,
    alpha: f32,
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    let options = GemmOptions { alpha, bias: bias.map(BiasVector::Row), ..Default::default() };
    let done = GemmExecutor::<f32>::new().gemm(y, GemmInputA::Unpacked(x), w, options);
    done.expect("x, W and y agree in shape");
}

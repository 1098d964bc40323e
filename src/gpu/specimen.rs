//! A kernel's text without a plan, to be read.

#[cfg(feature = "probe")]
use super::kernels::PARTS;
use super::kernels::{
    ADD, ATTENTION, Attention, BOX_MEAN, BoxMean, EMBED, GATHER, Gather, INTERLEAVE, Interleave,
    Kernel, LINEAR, LOCAL_AFFINE, NORM, Norm, OUTER, PATCHIFY, POOL, Patchify, Pixels, Pool,
    Product, RESIZE, RIDGE, ROTATE, ROUND, Resize, Ridge, Rotate, Row, RowKind, Rows, Subgroups,
    Target, Tokens, rows,
};
#[cfg(feature = "language")]
use super::kernels::{APPEND, CAUSAL, Causal, PICK, PROBABILITIES, Pick, TOP, Top};
use super::link::link;
use super::pack::{Format, quads};
use crate::image::Normal;
use crate::model::{NormKind, Pairs};
use crate::plan::Activation;
use crate::{Error, Result};

/// What a kernel is linked for. Each kernel uses what concerns it.
#[derive(Clone, Debug)]
pub struct Specimen {
    /// Rows of a product, tokens of attention.
    pub rows: usize,
    /// Inputs of a product.
    pub inputs: usize,
    /// Outputs of a product, channels of a norm or map.
    pub outputs: usize,
    /// How a product's weights are stored.
    pub format: Format,
    /// What the rows of a product or of patches are.
    pub rows_of: RowsOf,
    /// Applied to sums and norms.
    pub activation: Option<Activation>,
    /// Whether there is a bias.
    pub bias: bool,
    /// Whether a product is gated.
    pub gated: bool,
    /// Whether a product is scaled.
    pub scale: bool,
    /// Whether the result is added to what y holds.
    pub residual: bool,
    /// Whether what is read and what is written are f16.
    pub half: bool,
    /// Which statistics a norm takes.
    pub norm: NormKind,
    /// Heads of attention.
    pub heads: usize,
    /// Channels of a head.
    pub head_dim: usize,
    /// Whether pooling takes the maximum.
    pub max: bool,
    /// Invocations of a subgroup; 0 for none.
    pub subgroup: u32,
}

/// What the rows of a product or of patches are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowsOf {
    /// A slot's rows.
    Slot,
    /// 3 × 3 windows of a map.
    Windows,
    /// Patches of 14 × 14 pixels of RGBA bytes.
    Rgba,
    /// Patches of 14 × 14 pixels of f32 planes.
    Planes,
}

/// The side of a patch.
const PATCH: usize = 14;

impl Default for Specimen {
    /// A product of 257 rows as a small encoder has it.
    fn default() -> Self {
        Self {
            rows: 257,
            inputs: 192,
            outputs: 768,
            format: Format::F32,
            rows_of: RowsOf::Slot,
            activation: None,
            bias: false,
            gated: false,
            scale: false,
            residual: false,
            half: false,
            norm: NormKind::Layer,
            heads: 3,
            head_dim: 64,
            max: false,
            subgroup: 0,
        }
    }
}

impl Specimen {
    /// The linked text of the kernel whose main file is `file`.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no such kernel, or it does not fit.
    pub fn text(&self, file: &str) -> Result<String> {
        let (shapes, product) = (self.shapes(), self.product());
        let found = None
            .or_else(|| self.kernel(LINEAR, file, &product))
            .or_else(|| self.kernel(&ROUND, file, &product))
            .or_else(|| self.kernel(ATTENTION, file, &shapes.attention))
            .or_else(|| self.kernel(&NORM, file, &shapes.norm))
            .or_else(|| self.kernel(&PATCHIFY, file, &shapes.patchify))
            .or_else(|| self.kernel(&EMBED, file, &Tokens { c: self.outputs, prefix: 1 }))
            .or_else(|| {
                self.kernel(
                    &GATHER,
                    file,
                    &Gather { c: self.outputs, parts: 1, add: self.residual },
                )
            })
            .or_else(|| self.kernel(&ROTATE, file, &shapes.rotate))
            .or_else(|| self.kernel(&ADD, file, &Rows { c: self.outputs }))
            .or_else(|| self.kernel(&INTERLEAVE, file, &Interleave { c: self.outputs }))
            .or_else(|| self.kernel(&POOL, file, &Pool { c: self.outputs, max: self.max }))
            .or_else(|| self.kernel(&RESIZE, file, &shapes.resize))
            .or_else(|| self.kernel(&BOX_MEAN, file, &shapes.box_mean))
            .or_else(|| self.kernel(&OUTER, file, &Pixels { c: self.outputs }))
            .or_else(|| self.kernel(&RIDGE, file, &Ridge { c: self.outputs, eps: 1e-3 }))
            .or_else(|| self.kernel(&LOCAL_AFFINE, file, &Pixels { c: self.outputs }));
        #[cfg(feature = "probe")]
        let found = found.or_else(|| self.kernel(&PARTS, file, &product));
        #[cfg(feature = "language")]
        let found = found.or_else(|| self.language(file));
        let Some(kernel) = found else {
            return Err(match rows().into_iter().find(|row| row.file == file) {
                Some(row) => Error::input(format!(
                    "{file}: fits no such shape, or lacks what it needs: it needs {}, and a workgroup computes {}",
                    row.needs, row.tile
                )),
                None => Error::input(format!("{file:?}: expected a kernel's main file")),
            });
        };
        link(&kernel.files, &kernel.knobs)
    }

    /// A kernel of language models.
    #[cfg(feature = "language")]
    fn language(&self, file: &str) -> Option<Kernel> {
        let Self { heads, head_dim, half, .. } = *self;
        let shape = Causal { heads, key_heads: 1, head_dim, norm: None, half };
        let cols = self.outputs;
        let top = Top { count: 1, cols, step: crate::plan::Top::STEP, numbered: false };
        let pick = Pick { k: quads(self.inputs), format: self.format };
        let tables: [&'static [Row<Causal>]; 3] = [&APPEND, &CAUSAL, &PROBABILITIES];
        tables
            .into_iter()
            .find_map(|table| self.kernel(table, file, &shape))
            .or_else(|| self.kernel(&TOP, file, &top))
            .or_else(|| self.kernel(&PICK, file, &pick))
    }

    /// The kernel of the first row of that file which fits a shape.
    fn kernel<S>(&self, rows: &'static [Row<S>], file: &str, shape: &S) -> Option<Kernel> {
        let mut list = rows.iter().filter(|row| row.file == file && (row.fits)(shape));
        list.find_map(|row| {
            let (family, matrix) = (*row.families.first()?, row.needs.matrix);
            let subgroup = match row.needs.subgroup {
                Subgroups::Exactly(size) => size,
                _ => self.subgroup,
            };
            let target = Target { family, subgroup, least_subgroup: subgroup, matrix };
            row.needs.met(&target).then(|| row.kernel(&target, shape))
        })
    }

    fn rgba(&self) -> Option<Normal> {
        (self.rows_of == RowsOf::Rgba).then(Normal::default)
    }

    fn product(&self) -> Product {
        let gather = match self.rows_of {
            RowsOf::Slot => RowKind::Rows,
            RowsOf::Windows => RowKind::Windows,
            RowsOf::Rgba | RowsOf::Planes => RowKind::Patches { rgba: self.rgba(), patch: PATCH },
        };
        Product {
            rows: self.rows,
            k: quads(self.inputs),
            cols: (if self.gated { 2 } else { 1 }) * quads(self.outputs),
            bias: self.bias,
            activation: self.activation,
            gated: self.gated,
            scale: self.scale,
            residual: self.residual,
            gather,
            format: self.format,
            half: [self.half, self.half && !self.residual],
        }
    }

    fn shapes(&self) -> Shapes {
        let Self { heads, head_dim, activation, bias, .. } = *self;
        let (c, half, kind) = (self.outputs, [self.half; 2], self.norm);
        Shapes {
            attention: Attention { tokens: self.rows, heads, head_dim, bias, cross: false, half },
            rotate: Rotate { c: heads * head_dim, head_dim, pairs: Pairs::Halves },
            norm: Norm { c, kind, eps: 1e-6, bias, activation, half },
            patchify: Patchify { rgba: self.rgba(), patch: PATCH, half: self.half },
            resize: Resize { c, wide: c, add: self.residual },
            box_mean: BoxMean { c, radius: 4, across: false },
        }
    }
}

struct Shapes {
    attention: Attention,
    rotate: Rotate,
    norm: Norm,
    patchify: Patchify,
    resize: Resize,
    box_mean: BoxMean,
}

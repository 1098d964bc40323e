//! What a team shares: two products of a block with what lies between them. A member takes some
//! heads, or some channels of the MLP, through both, and the members' results are summed, so that
//! what lies between stays where it was computed.

use std::ops::Range;

use super::{Matrix, Share, attention};
use crate::plan::{Activation, Linear, Op, Plan, Role, RowSource};
use crate::reference::{Epilogue, Scores};
use crate::weights::WeightSource;
use crate::{Error, Result};

/// Where a pair lies in a plan.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FusedPair {
    /// Its steps: a product, attention or not, and a product that is added to the residual stream.
    pub(super) steps: Range<usize>,
    /// The names of its two matrices.
    pub(super) weights: [String; 2],
    /// Heads, where there is attention between.
    heads: Option<usize>,
    /// Parts of a picture within which tokens attend.
    pub(super) groups: usize,
}

impl FusedPair {
    /// All that `plan` has.
    pub(super) fn all(plan: &Plan) -> Vec<Self> {
        (0..plan.steps.len()).filter_map(|first| Self::at(plan, first)).collect()
    }

    /// The one that begins with the step `first`, whose intermediate results nothing else reads.
    fn at(plan: &Plan, first: usize) -> Option<Self> {
        let last_uses = plan.last_uses();
        let inside = |slot: usize, reader: usize| {
            plan.slots[slot].role == Role::Temporary && last_uses[slot] == reader
        };
        let begin = rows(plan, first)?;
        let (mut between, mut last, mut heads) = (plan.steps[first].y, first + 1, None);
        let mut groups = 1;
        if let Op::Attention(op) = &plan.steps.get(last)?.op
            && op.bias.is_none()
            && [op.q, op.k, op.v].iter().all(|plane| plane.slot == between)
            && inside(between, last)
        {
            (between, heads, groups) = (plan.steps[last].y, Some(op.heads), op.groups);
            last += 1;
        }
        let end = rows(plan, last)?;
        let fits =
            end.x == between && end.residual.is_some() && end.activation.is_none() && !end.gated;
        if !fits || !inside(between, last) || begin.scale.or(begin.residual).is_some() {
            return None;
        }
        let weights = [begin.weight, end.weight].map(|slot| plan.slots[slot].name.clone());
        Some(Self { steps: first..last + 1, weights, heads, groups })
    }
}

/// The linear layer that the step `at` is, unless it is over windows.
pub(super) fn rows(plan: &Plan, at: usize) -> Option<&Linear> {
    match &plan.steps.get(at)?.op {
        Op::Linear(op) if op.rows == RowSource::Rows => Some(op),
        _ => None,
    }
}

/// The columns of the first product, in each of its planes of `width`, that are a member's.
fn columns(share: Share, width: usize, heads: Option<usize>) -> Range<usize> {
    let Some(heads) = heads else { return share.columns(width) };
    let (part, d) = (share.heads(heads), width / heads);
    part.start * d..part.end * d
}

/// A member's part of a pair.
pub(super) struct PairShare {
    first: Matrix,
    bias: Option<Vec<f32>>,
    activation: Option<Activation>,
    gated: bool,
    /// Heads of all members, where there is attention between.
    heads: Option<usize>,
    last: Matrix,
    share: Share,
}

impl PairShare {
    /// Reads a member's part of a pair of `plan`; none where nothing is left for it.
    pub(super) async fn load(
        plan: &Plan,
        pair: &FusedPair,
        source: WeightSource<'_>,
        share: Share,
    ) -> Result<Option<Self>> {
        let Some(layer) = rows(plan, pair.steps.start) else { return Ok(None) };
        let weight = &plan.slots[layer.weight];
        let (planes, width) = (weight.planes, weight.rows);
        let columns = columns(share, width, pair.heads);
        if columns.is_empty() {
            return Ok(None);
        }
        let [name, end] = &pair.weights;
        let mut rows = Vec::new();
        for plane in 0..planes {
            let first = plane * width;
            rows.push(source.rows(weight, first + columns.start..first + columns.end).await?);
        }
        let stored = source.stored_type(name);
        let first = Matrix::pack_columns(&rows, width, columns.clone(), stored);
        drop(rows);
        let bias = match layer.bias {
            Some(slot) => Some(source.tensor(&plan.slots[slot].name).await?),
            None => None,
        };
        let w = source.tensor(end).await?;
        let stored = source.stored_type(end);
        let last = Matrix::pack_inputs(&w, [w.len() / width, width], columns, stored);
        let (activation, gated, heads) = (layer.activation, layer.gated, pair.heads);
        Ok(Some(Self { first, bias, activation, gated, heads, last, share }))
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> u64 {
        self.first.bytes() + self.last.bytes()
    }

    /// The first product's columns that are another member's.
    pub(super) fn columns(&self, share: Share) -> Range<usize> {
        columns(share, self.first.out(), self.heads)
    }

    /// Columns of the first product, all members'.
    pub(super) fn width(&self) -> usize {
        self.first.out()
    }

    /// The first product alone: the member's columns, `[planes, rows, columns]`.
    pub(super) fn begin(&self, x: &[f32]) -> Result<Vec<f32>> {
        let Self { activation, gated, .. } = *self;
        let bias = self.bias.as_deref();
        self.first.product(x, Epilogue { bias, activation, gated, ..Epilogue::default() })
    }

    /// The whole pair for `x` `[batch·tokens, in]`, without the last bias: `[batch·tokens, out]`,
    /// to be summed with the other members'.
    pub(super) fn through(&self, x: &[f32], [batch, tokens]: [usize; 2]) -> Result<Vec<f32>> {
        let mut between = self.begin(x)?;
        if let Some(heads) = self.heads {
            let columns = self.first.columns().len();
            if between.len() != 3 * batch * tokens * columns {
                let found = between.len() / columns / 3;
                return Err(Error::device(format!("{found} rows, expected {batch} × {tokens}")));
            }
            let own = self.share.heads(heads);
            let queries: Vec<_> = own.map(|head| self.share.queries(heads, head, tokens)).collect();
            let mut y = vec![0.0; between.len() / 3];
            let (q, rest) = between.split_at(y.len());
            let (k, v) = rest.split_at(y.len());
            let scores = Scores::plain([batch, tokens, columns], queries.len());
            attention([q, k, v], &scores, &queries, &mut y);
            between = y;
        }
        self.last.product(&between, Epilogue::default())
    }
}

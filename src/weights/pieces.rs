//! Stored tensors as pieces of canonical ones: shapes, types, and which bytes of them are meant.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Layout, Part, QuantFormat, QuantizedTensor, Stored};
use crate::plan::TensorSpec;

/// What follows the name of a matrix in few bits in that of its scales.
pub(super) const SCALES: &str = ".scales";

/// A matrix in few bits, where types and shapes are those of one.
pub(super) fn quantized(
    want: &TensorSpec,
    (file, codes): (usize, &Stored),
    (scales_file, scales): (usize, &Stored),
) -> Option<QuantizedTensor> {
    let quant = match codes.dtype_name.as_str() {
        "I8" => QuantFormat::Int8,
        "U8" => QuantFormat::Int4,
        _ => return None,
    };
    let dtype = scales.dtype?;
    let shape = &want.shape;
    let right = want.is_block_matrix()
        && quant.fits(shape[1])
        && codes.shape == quant.codes_shape(shape)
        && scales.shape == quant.scales_shape(shape)
        && dtype == quant.scales_type();
    right.then(|| QuantizedTensor {
        quant,
        file,
        key: codes.key.clone(),
        range: codes.range.clone(),
        scales: Part::whole(scales_file, scales, dtype, shape[0]),
    })
}

/// What is stored of a canonical tensor, by place and how many make it.
pub(super) type Pieces<'a> = BTreeMap<[usize; 2], Piece<'a>>;

/// A stored tensor as a piece of a canonical one.
#[derive(Clone)]
pub(super) struct Piece<'a> {
    pub(super) file: usize,
    pub(super) stored: &'a Stored,
    /// The rows of it that are meant, where that is not all.
    pub(super) cut: Option<Range<usize>>,
    /// Whether it is transposed.
    pub(super) turned: bool,
    /// Rows of a head, where neighbours in it rotate together.
    #[cfg(feature = "language")]
    pub(super) neighbours: Option<usize>,
}

/// Checks shapes and types of the pieces of a tensor. `zero` is the place of one that may not be stored.
pub(super) fn check_parts(
    want: &TensorSpec,
    zero: Option<[usize; 2]>,
    files: &[(String, Vec<Stored>)],
    pieces: Pieces<'_>,
    problems: &mut Vec<String>,
) -> (Vec<Part>, Layout) {
    let (name, shape) = (&want.name, &want.shape);
    let of = pieces.first_key_value().map_or(1, |([_, of], _)| *of);
    let zero = zero.filter(|[_, parts]| *parts == of);
    let (mut list, mut layout) = (Vec::new(), Layout::Rows);
    let places = (0..of).map(|index| [index, of]).filter(|place| Some(*place) != zero);
    let rows = shape[0] / of;
    if pieces.keys().copied().eq(places) {
        for piece in pieces.into_values() {
            let expected = [&[rows], &shape[1..]].concat();
            let (part, lies) = piece.checked(&expected, files, problems);
            list.extend(part);
            layout = lies;
        }
    } else {
        let keys: Vec<_> = pieces.values().map(|piece| piece.stored.key.as_str()).collect();
        let stored = of - usize::from(zero.is_some());
        let only = if keys.len() < stored { "only " } else { "" };
        problems.push(format!(
            "{name}: expected {stored} parts of it, found {only}{}",
            keys.join(", ")
        ));
        return (list, layout);
    }
    if let Some([index, _]) = zero
        && let Some(beside) = list.first()
    {
        let zero = Part { stored: 0..0, range: 0..0, rows, ..beside.clone() };
        list.insert(index.min(list.len()), zero);
    }
    (list, layout)
}

impl<'a> Piece<'a> {
    /// All of a tensor, as it stands.
    pub(super) fn whole(file: usize, stored: &'a Stored) -> Self {
        Self {
            file,
            stored,
            cut: None,
            turned: false,
            #[cfg(feature = "language")]
            neighbours: None,
        }
    }

    /// The part that it is, where its shape is the expected one, and how its values lie.
    fn checked(
        &self,
        expected: &[usize],
        files: &[(String, Vec<Stored>)],
        problems: &mut Vec<String>,
    ) -> (Option<Part>, Layout) {
        let stored = self.stored;
        let at = || format!("{}: {}", files[self.file].0, stored.key);
        let found = stored.shape.as_slice();
        let (mut stored_as, mut layout) = (expected.to_vec(), Layout::Rows);
        if self.turned {
            stored_as.reverse();
            layout = Layout::Columns;
        }
        if let [_, values] = found
            && let [outputs, channels, ..] = *expected
            && expected.len() == 4
            && outputs * values == expected.iter().product::<usize>()
        {
            (stored_as, layout) = (vec![outputs, *values], Layout::Pixels { channels });
        }
        let right = match &self.cut {
            None => without_ones(found) == without_ones(&stored_as),
            Some(rows) => {
                found.first().is_some_and(|all| rows.end <= *all) && found[1..] == stored_as[1..]
            }
        };
        if !right {
            problems.push(format!("{}: expected shape {stored_as:?}, found {found:?}", at()));
        }
        let Some(dtype) = stored.dtype else {
            let few_bits = matches!(stored.dtype_name.as_str(), "I8" | "U8");
            problems.push(format!(
                "{}: expected type F32, F16 or BF16, found {}{}",
                at(),
                stored.dtype_name,
                if few_bits { " without scales" } else { "" }
            ));
            return (None, layout);
        };
        let mut part = Part::whole(self.file, stored, dtype, expected[0]);
        #[cfg(feature = "language")]
        {
            part.neighbours = self.neighbours;
        }
        #[cfg(feature = "language")]
        if let Some(blocks) = part.blocks
            && !expected[1..].iter().product::<usize>().is_multiple_of(blocks.values())
        {
            problems.push(format!("{}: expected F32 or F16, found {}", at(), blocks.name()));
        }
        if let Some(rows) = self.cut.as_ref().filter(|_| right) {
            let row = (stored.range.end - stored.range.start) / found[0].max(1) as u64;
            let byte = |row_number: usize| stored.range.start + row_number as u64 * row;
            part.range = byte(rows.start)..byte(rows.end);
        }
        (Some(part), layout)
    }
}

/// A shape without the ones that it begins with.
fn without_ones(shape: &[usize]) -> &[usize] {
    &shape[shape.iter().take_while(|side| **side == 1).count()..]
}

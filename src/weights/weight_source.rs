//! Where the weights of a plan come from.

use std::collections::HashMap;
use std::ops::Range;

use super::{Checkpoint, QuantFormat, StoredType};
use crate::plan::Slot;
use crate::{Error, Result};

/// Tensors by the names of the slots that they fill.
#[derive(Clone, Copy)]
pub enum WeightSource<'a> {
    /// Read from the files of a checkpoint when they are asked for.
    Checkpoint(&'a Checkpoint),
    /// In memory, row-major.
    Memory(&'a HashMap<String, Vec<f32>>),
}

impl<'a> From<&'a Checkpoint> for WeightSource<'a> {
    fn from(checkpoint: &'a Checkpoint) -> Self {
        Self::Checkpoint(checkpoint)
    }
}

impl<'a> From<&'a HashMap<String, Vec<f32>>> for WeightSource<'a> {
    fn from(tensors: &'a HashMap<String, Vec<f32>>) -> Self {
        Self::Memory(tensors)
    }
}

impl WeightSource<'_> {
    /// All values of a weight.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] where there is no tensor of that name, [`Error::Io`] where it cannot be read.
    pub async fn tensor(&self, name: &str) -> Result<Vec<f32>> {
        match self {
            Self::Checkpoint(checkpoint) => checkpoint.tensor(name).await,
            Self::Memory(tensors) => tensors.get(name).cloned().ok_or_else(|| missing(name)),
        }
    }

    /// Some rows of a matrix, counted through all planes.
    ///
    /// # Errors
    /// As [`WeightSource::tensor`].
    pub async fn rows(&self, slot: &Slot, rows: Range<usize>) -> Result<Vec<f32>> {
        match self {
            Self::Checkpoint(checkpoint) => checkpoint.rows(&slot.name, rows).await,
            Self::Memory(tensors) => {
                let range = rows.start * slot.cols..rows.end * slot.cols;
                let values = tensors.get(&slot.name).and_then(|values| values.get(range));
                values.map(<[f32]>::to_vec).ok_or_else(|| missing(&slot.name))
            }
        }
    }

    /// The type that holds every value of a weight.
    pub fn stored_type(&self, name: &str) -> StoredType {
        match self {
            Self::Checkpoint(checkpoint) => checkpoint.stored_type(name),
            Self::Memory(_) => StoredType::F32,
        }
    }

    /// How a matrix is stored in few bits, where it is.
    pub fn quant(&self, name: &str) -> Option<QuantFormat> {
        match self {
            Self::Checkpoint(checkpoint) => checkpoint.quant(name),
            Self::Memory(_) => None,
        }
    }

    /// Bytes of a weight as it is stored, for progress.
    pub fn stored_bytes(&self, name: &str) -> u64 {
        match self {
            Self::Checkpoint(checkpoint) => checkpoint.stored_bytes(name),
            Self::Memory(tensors) => tensors.get(name).map_or(0, |values| 4 * values.len() as u64),
        }
    }
}

fn missing(name: &str) -> Error {
    Error::checkpoint("memory", format!("{name}: expected a tensor of this name, found none"))
}

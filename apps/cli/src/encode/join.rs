//! Features of several runs as one.

use std::path::Path;

use internvit::{Error, Features, Result};

/// Refuses rows of another number of tokens than those before.
pub(super) fn same_shape(all: &Features, more: &Features, path: &Path) -> Result<()> {
    for (name, tensor) in &more.tensors {
        let (known, found) = (&all.tensors[name].shape[1..], &tensor.shape[1..]);
        if known != found {
            return Err(Error::input(format!(
                "{}: {found:?} tokens, but the images before have {known:?}; encode images of other \
                 shapes one by one, or with --resize squash or crop",
                path.display()
            )));
        }
    }
    Ok(())
}

pub(super) fn append(all: &mut Features, more: Features) {
    for (name, tensor) in more.tensors {
        let Some(known) = all.tensors.get_mut(&name) else { continue };
        known.shape[0] += tensor.shape[0];
        known.values.extend(tensor.values);
    }
    all.batch += more.batch;
}

//! Compiled pipelines, kept on disk from process to process where the driver allows it (Vulkan).

use std::cell::Cell;
use std::fs::OpenOptions;
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::io::Write;
use std::path::{Path, PathBuf};

use etcetera::{BaseStrategy, choose_base_strategy};

/// A device's pipelines and the file that holds them.
pub(super) struct PipelineCache {
    pub(super) pipelines: wgpu::PipelineCache,
    file: PathBuf,
    /// Pipelines compiled when it was last saved.
    saved: Cell<usize>,
}

impl PipelineCache {
    /// The cache of an adapter, with what an earlier process left in the user's cache folder.
    pub(super) fn open(device: &wgpu::Device, info: &wgpu::AdapterInfo) -> Option<Self> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let name = wgpu::util::pipeline_cache_key(info)?;
        let file = choose_base_strategy().ok()?.cache_dir().join("internvit").join(name);
        let known = std::fs::read(&file).ok();
        let descriptor = wgpu::PipelineCacheDescriptor {
            label: Some("pipelines"),
            data: known.as_deref().and_then(unsealed),
            fallback: true,
        };
        // SAFETY: the data are what `get_data` gave to `save`: their digest says that nothing has
        // changed them since. wgpu and the driver compare adapter and version by themselves.
        let pipelines = unsafe { device.create_pipeline_cache(&descriptor) };
        Some(Self { pipelines, file, saved: Cell::new(0) })
    }

    /// Writes the file where there are more than the `compiled` of last time. Without it the next
    /// process only starts more slowly, so that no failure counts.
    pub(super) fn save(&self, compiled: usize) {
        if self.saved.replace(compiled) == compiled {
            return;
        }
        if let Some(data) = self.pipelines.get_data() {
            let _ = replace(&self.file, &sealed(data));
        }
    }
}

/// Writes a file in one go, also where others do so at the same time.
pub(super) fn replace(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // A name that cannot be guessed, in a new file: a link that was put there is not followed.
    let random = RandomState::new().build_hasher().finish();
    let part = file.with_extension(format!("{random:016x}.part"));
    let mut written = OpenOptions::new().write(true).create_new(true).open(&part)?;
    let done = written.write_all(bytes).and_then(|()| std::fs::rename(&part, file));
    if done.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    done
}

/// The data with a digest behind them.
fn sealed(mut data: Vec<u8>) -> Vec<u8> {
    let digest = digest(&data);
    data.extend(digest);
    data
}

/// The data of a file, unless they have been changed.
fn unsealed(bytes: &[u8]) -> Option<&[u8]> {
    let (data, stored) = bytes.split_last_chunk::<8>()?;
    (*stored == digest(data)).then_some(data)
}

pub(super) fn digest(data: &[u8]) -> [u8; 8] {
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    hasher.finish().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sealed_is_taken() {
        let file = sealed(vec![1, 2, 3]);
        assert_eq!(unsealed(&file), Some(&[1, 2, 3][..]));
        for changed in [&file[..10], &file[1..], &[], &[0; 11]] {
            assert_eq!(unsealed(changed), None);
        }
    }
}

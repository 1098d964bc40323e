//! Where bytes come from: memory, a file, or what the browser asks. Always by range.

use std::ops::Range;

use crate::Result;

#[cfg(target_arch = "wasm32")]
type Reader = dyn Fn(Range<u64>) -> std::pin::Pin<Box<dyn Future<Output = Result<Vec<u8>>>>>;

#[cfg(not(target_arch = "wasm32"))]
type Ranges = dyn Fn(Range<u64>) -> std::io::Result<Vec<u8>> + Send;

/// One file of a checkpoint.
pub struct Source {
    name: String,
    size: u64,
    bytes: Bytes,
    /// Checksums that its parts should have.
    #[cfg(feature = "torch")]
    sums: std::sync::OnceLock<super::torch::Sums>,
}

enum Bytes {
    Memory(std::borrow::Cow<'static, [u8]>),
    #[cfg(not(target_arch = "wasm32"))]
    File(std::sync::Mutex<std::fs::File>),
    #[cfg(not(target_arch = "wasm32"))]
    Ranges(Box<Ranges>),
    #[cfg(target_arch = "wasm32")]
    Reader(Box<Reader>),
}

impl Source {
    /// Bytes already in memory.
    pub fn memory(name: &str, bytes: impl Into<std::borrow::Cow<'static, [u8]>>) -> Self {
        let bytes = bytes.into();
        Self::new(name.into(), bytes.len() as u64, Bytes::Memory(bytes))
    }

    /// A file, read range by range, never whole.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where it cannot be opened.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn file(path: &std::path::Path) -> Result<Self> {
        let name = path.display().to_string();
        let open = || -> std::io::Result<_> {
            let file = crate::files::open_file(path)?;
            let size = file.metadata()?.len();
            Ok((file, size))
        };
        let (file, size) = open().map_err(|e| crate::Error::io(&name, e))?;
        Ok(Self::new(name, size, Bytes::File(std::sync::Mutex::new(file))))
    }

    /// A browser opens no file by its path.
    ///
    /// # Errors
    /// [`crate::Error::Input`], always.
    #[cfg(target_arch = "wasm32")]
    pub fn file(path: &std::path::Path) -> Result<Self> {
        Err(crate::Error::input(format!("{}: expected the file itself", path.display())))
    }

    /// Bytes from wherever the caller has them: `read` gives those of a range, and may block.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn ranges(
        name: &str,
        size: u64,
        read: impl Fn(Range<u64>) -> std::io::Result<Vec<u8>> + Send + 'static,
    ) -> Self {
        Self::new(name.into(), size, Bytes::Ranges(Box::new(read)))
    }

    /// Bytes that a function fetches on demand.
    #[cfg(target_arch = "wasm32")]
    pub fn reader(name: &str, size: u64, read: Box<Reader>) -> Self {
        Self::new(name.into(), size, Bytes::Reader(read))
    }

    fn new(name: String, size: u64, bytes: Bytes) -> Self {
        Self {
            name,
            size,
            bytes,
            #[cfg(feature = "torch")]
            sums: std::sync::OnceLock::new(),
        }
    }

    /// Compares what is read from now on with checksums.
    #[cfg(feature = "torch")]
    pub(super) fn compare(&self, sums: super::torch::Sums) {
        // A header that is read again says the same.
        let _ = self.sums.set(sums);
    }

    /// The file as the user named it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes of `range`.
    ///
    /// # Errors
    /// [`crate::Error::Checkpoint`] where the range does not lie within the file, or memory does not
    /// hold it, or where its checksum is not what the file says; [`crate::Error::Io`] where it cannot be
    /// read.
    pub async fn read(&self, range: Range<u64>) -> Result<Vec<u8>> {
        #[cfg(feature = "torch")]
        if let Some(sums) = self.sums.get() {
            let start = range.start;
            let bytes = self.fetch(range).await?;
            return sums.seen(&self.name, start, &bytes).map(|()| bytes);
        }
        self.fetch(range).await
    }

    async fn fetch(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let bad = |reason: String| crate::Error::checkpoint(&self.name, reason);
        let length = range.end.checked_sub(range.start).filter(|_| range.end <= self.size);
        let length = length.ok_or_else(|| {
            bad(format!("bytes {} to {} of {}", range.start, range.end, self.size))
        })?;
        let full = || bad(format!("no memory for {length} bytes"));
        let length = usize::try_from(length).map_err(|_| full())?;
        match &self.bytes {
            Bytes::Memory(bytes) => Ok(bytes[range.start as usize..range.end as usize].to_vec()),
            #[cfg(not(target_arch = "wasm32"))]
            Bytes::File(file) => {
                use std::io::{Read, Seek, SeekFrom};
                let mut file = file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let mut bytes = Vec::new();
                bytes.try_reserve_exact(length).map_err(|_| full())?;
                bytes.resize(length, 0);
                file.seek(SeekFrom::Start(range.start))
                    .and_then(|_| file.read_exact(&mut bytes))
                    .map_err(|e| crate::Error::io(&self.name, e))?;
                Ok(bytes)
            }
            #[cfg(not(target_arch = "wasm32"))]
            Bytes::Ranges(read) => {
                let bytes = read(range).map_err(|e| crate::Error::io(&self.name, e))?;
                self.whole(bytes, length)
            }
            #[cfg(target_arch = "wasm32")]
            Bytes::Reader(read) => self.whole(read(range).await?, length),
        }
    }

    /// What a caller's function gave, which must be as long as was asked for.
    fn whole(&self, bytes: Vec<u8>, wanted: usize) -> Result<Vec<u8>> {
        if bytes.len() == wanted {
            return Ok(bytes);
        }
        let reason = format!("expected {wanted} bytes, received {}", bytes.len());
        Err(crate::Error::checkpoint(&self.name, reason))
    }
}

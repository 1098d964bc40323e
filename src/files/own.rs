//! Files under names that others know: opened through no link, and told from a stranger's.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Opens a regular file as `options` say. A link is not followed, and a pipe is not waited for.
///
/// # Errors
/// The system's, or that something else than a file is there.
pub fn open_plain(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = unfollowed(options).open(path).map_err(|e| match is_link(&e) {
        true => io::Error::other("a link, which is not followed here; remove it"),
        false => e,
    })?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("expected a file, found something else; remove it")),
    }
}

#[cfg(unix)]
fn unfollowed(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.custom_flags(flags.bits() as i32)
}

#[cfg(windows)]
fn unfollowed(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::windows::fs::OpenOptionsExt;
    // FILE_FLAG_OPEN_REPARSE_POINT: a link itself is opened, which then is no regular file.
    options.custom_flags(0x0020_0000)
}

#[cfg(not(any(unix, windows)))]
fn unfollowed(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

#[cfg(not(unix))]
fn is_link(_: &io::Error) -> bool {
    false
}

/// Whether a file or folder belongs to the user who runs this; true where there are no owners.
pub fn is_own(there: &Metadata) -> bool {
    #[cfg(unix)]
    {
        std::os::unix::fs::MetadataExt::uid(there) == rustix::process::geteuid().as_raw()
    }
    #[cfg(not(unix))]
    {
        !there.is_symlink()
    }
}

/// Whether a file has other names too, through which it may be a user's own.
fn has_other_names(there: &Metadata) -> bool {
    #[cfg(unix)]
    {
        std::os::unix::fs::MetadataExt::nlink(there) > 1
    }
    #[cfg(not(unix))]
    {
        there.is_symlink()
    }
}

/// Opens, to add to it, the beginning of a file that an earlier run of this user left. What else has
/// its name is put away, and what that leads to stays.
///
/// # Errors
/// The system's.
pub fn open_part(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true);
    match open_plain(&mut options, path) {
        Ok(file) => {
            let there = file.metadata()?;
            if is_own(&there) && !has_other_names(&there) {
                return Ok(file);
            }
            std::fs::remove_file(path)?;
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(_) => std::fs::remove_file(path)?,
    }
    options.create_new(true).open(path)
}

/// Whether an open file is still the one at `path`: who waited for it may hold one that is gone.
pub fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let key = |there: Metadata| (there.dev(), there.ino());
        let named = std::fs::symlink_metadata(path).map(key);
        named.ok() == file.metadata().map(key).ok()
    }
    // Here no lock is ever removed.
    #[cfg(not(unix))]
    {
        file.metadata().is_ok() && path.exists()
    }
}

/// Exchanges two folders in one step.
///
/// # Errors
/// `Unsupported` where the system cannot; `NotFound` where one is missing.
pub fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        Ok(renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)?)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    {
        let _ = (a, b);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Bytes of a name at most, on most disks.
const LONGEST_NAME: usize = 255;

/// `before` + the file's name + `after`, in its folder; a name too long for that is cut, and told from
/// others by a digest.
pub fn beside_name(path: &Path, before: &str, after: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    let mut whole = std::ffi::OsString::from(before);
    whole.push(name);
    whole.push(after);
    if whole.len() > LONGEST_NAME {
        let digest = Sha256::digest(name.as_encoded_bytes());
        let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        whole = format!("{before}{digest}{after}").into();
    }
    super::folder_of(path).join(whole)
}

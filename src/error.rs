//! The one error type. Every message says what was wanted, what was found, and where.

use std::fmt;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, in one line that a user can act on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file as the user named it.
        path: String,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A `config.json` that describes no model this crate can run.
    #[error("{file}: {reason}")]
    Config {
        /// The configuration's file name.
        file: String,
        /// Key, expected and found.
        reason: String,
    },
    /// A checkpoint whose tensors are not those its configuration asks for.
    #[error("{file}: {reason}")]
    Checkpoint {
        /// The file, or the folder when several are concerned.
        file: String,
        /// Tensor, expected and found; one line a problem.
        reason: String,
    },
    /// A model of the Hugging Face hub that could not be fetched.
    #[error("{model}: {reason}")]
    Hub {
        /// owner/name, with the revision where one was asked for.
        model: String,
        /// Why, and what helps.
        reason: String,
    },
    /// A picture that could not be decoded.
    #[error("{name}: {reason}")]
    Image {
        /// The picture's file name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A request that makes no sense for this model or this input.
    #[error("{0}")]
    Input(String),
    /// The graphics device is missing, too small, or failed.
    #[error("{0}")]
    Device(String),
    /// The graphics device stopped, or was taken away: a driver's reset, a tab in the background. What
    /// lay on it is gone. An encoder opens it anew and computes again, once; this is what remains to
    /// be said where that failed too.
    #[error("{0}")]
    Lost(String),
    /// What was computed holds NaN or infinity: which tensor, from which block on, and what helps.
    #[error("{0}")]
    NotFinite(String),
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// An [`Error::Input`] from anything printable.
    pub fn input(reason: impl fmt::Display) -> Self {
        Self::Input(line(reason))
    }

    /// An [`Error::Device`] from anything printable.
    pub fn device(reason: impl fmt::Display) -> Self {
        Self::Device(reason.to_string())
    }

    /// An [`Error::Io`] at `path`.
    pub fn io(path: impl fmt::Display, source: std::io::Error) -> Self {
        Self::Io { path: path.to_string(), source }
    }

    /// An [`Error::Checkpoint`] in `file`.
    pub fn checkpoint(file: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::Checkpoint { file: line(file), reason: line(reason) }
    }

    /// An [`Error::Hub`] about `model`.
    pub fn hub(model: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::Hub { model: model.to_string(), reason: reason.to_string() }
    }

    /// An [`Error::Image`] about the picture `name`.
    pub fn image(name: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::Image { name: line(name), reason: line(reason) }
    }

    /// An [`Error::Config`] in `file`.
    pub fn config(file: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::Config { file: line(file), reason: line(reason) }
    }
}

/// The most bytes of a reason, and a few: a file may hold a name as long as itself.
const LONGEST: usize = 2000;

/// One line, whatever a file put into it: line ends and a terminal's commands are spelled out.
fn line(text: impl fmt::Display) -> String {
    let mut line = String::new();
    for c in text.to_string().chars() {
        if line.len() >= LONGEST {
            line.push('…');
            break;
        }
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

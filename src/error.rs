//! The one error type. Every message says what was wanted, what was found, and where.

use std::fmt;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, in one line that a user can act on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}", one_line(format_args!("{path}: {source}")))]
    Io {
        /// The file as the user named it.
        path: String,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A `config.json` that describes no model this crate can run.
    #[error("{}", one_line(format_args!("{file}: {reason}")))]
    Config {
        /// The configuration's file name.
        file: String,
        /// Key, expected and found.
        reason: String,
    },
    /// A checkpoint whose tensors are not those its configuration asks for.
    #[error("{}", one_line(format_args!("{file}: {reason}")))]
    Checkpoint {
        /// The file, or the folder when several are concerned.
        file: String,
        /// Tensor, expected and found; one line a problem.
        reason: String,
    },
    /// A model of the Hugging Face hub that could not be fetched.
    #[error("{}", one_line(format_args!("{model}: {reason}")))]
    Hub {
        /// owner/name, with the revision where one was asked for.
        model: String,
        /// Why, and what helps.
        reason: String,
    },
    /// A picture that could not be decoded.
    #[error("{}", one_line(format_args!("{name}: {reason}")))]
    Image {
        /// The picture's file name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A request that makes no sense for this model or this input.
    #[error("{}", one_line(.0))]
    Input(String),
    /// The graphics device is missing, too small, or failed.
    #[error("{}", one_line(.0))]
    Device(String),
    /// The graphics device stopped, or was taken away: a driver's reset, a tab in the background. What
    /// lay on it is gone. An encoder opens it anew and computes again, once; this is what remains to
    /// be said where that failed too.
    #[error("{}", one_line(.0))]
    Lost(String),
    /// What was computed holds NaN or infinity: which tensor, from which block on, and what helps.
    #[error("{}", one_line(.0))]
    NotFinite(String),
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// An [`Error::Input`] from anything printable.
    pub fn input(reason: impl fmt::Display) -> Self {
        Self::Input(one_line(reason))
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
        Self::Checkpoint { file: one_line(file), reason: one_line(reason) }
    }

    /// An [`Error::Hub`] about `model`.
    pub fn hub(model: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::Hub { model: model.to_string(), reason: reason.to_string() }
    }

    /// An [`Error::Image`] about the picture `name`.
    pub fn image(name: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::Image { name: one_line(name), reason: one_line(reason) }
    }

    /// An [`Error::Config`] in `file`.
    pub fn config(file: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::Config { file: one_line(file), reason: one_line(reason) }
    }
}

/// The most bytes of a line, and a few: a file may hold a name as long as itself.
const LONGEST: usize = 2000;

/// Whether a character acts on a terminal or hides in a text: controls, line ends, marks that change
/// the direction of writing, and characters without width.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// A text as one line that can be shown anywhere: at most some 2,000 bytes, hidden characters
/// ([`is_hidden`]) spelled out.
pub fn one_line(text: impl fmt::Display) -> String {
    let mut line = String::new();
    for c in text.to_string().chars() {
        if line.len() >= LONGEST {
            line.push('…');
            break;
        }
        if is_hidden(c) {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

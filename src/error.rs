//! The one error type. Every message says what was wanted, what was found, and where.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, in one line that a user can act on. [`Error::kind`] names the variant for programs
/// that pass errors on, [`std::error::Error::source`] gives the cause where another library found it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}", one_line(format_args!("{}: {source}", short(path, SUBJECT))))]
    Io {
        /// The file as the user named it.
        path: String,
        /// The operating system's reason.
        source: Arc<std::io::Error>,
    },
    /// A `config.json` that describes no model this crate can run.
    #[error("{}", one_line(format_args!("{}: {reason}", short(file, SUBJECT))))]
    Config {
        /// The configuration's file name.
        file: String,
        /// Key, expected and found.
        reason: String,
        /// The reader's own error.
        source: Option<Arc<dyn StdError + Send + Sync>>,
    },
    /// A checkpoint whose tensors are not those its configuration asks for.
    #[error("{}", one_line(format_args!("{}: {reason}", short(file, SUBJECT))))]
    Checkpoint {
        /// The file, or the folder when several are concerned.
        file: String,
        /// Tensor, expected and found; one line a problem.
        reason: String,
    },
    /// A model of the Hugging Face hub that could not be fetched.
    #[error("{}", one_line(format_args!("{}: {reason}", short(model, SUBJECT))))]
    Hub {
        /// owner/name, with the revision where one was asked for.
        model: String,
        /// Why, and what helps.
        reason: String,
    },
    /// A picture that could not be decoded.
    #[error("{}", one_line(format_args!("{}: {reason}", short(name, SUBJECT))))]
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
    /// lay on it is gone. An encoder opens it again and computes again, once; this is what remains to
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
        Self::Device(one_line(reason))
    }

    /// The variant's name: `io`, `config`, `checkpoint`, `hub`, `image`, `input`, `device`, `lost`,
    /// `not_finite` or `cancelled`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Io { .. } => "io",
            Self::Config { .. } => "config",
            Self::Checkpoint { .. } => "checkpoint",
            Self::Hub { .. } => "hub",
            Self::Image { .. } => "image",
            Self::Input(_) => "input",
            Self::Device(_) => "device",
            Self::Lost(_) => "lost",
            Self::NotFinite(_) => "not_finite",
            Self::Cancelled => "cancelled",
        }
    }

    /// The line without the name of the file, model or picture with which it begins, for lists that name it
    /// already.
    pub fn reason(&self) -> String {
        match self {
            Self::Io { source, .. } => one_line(source),
            Self::Config { reason, .. }
            | Self::Checkpoint { reason, .. }
            | Self::Hub { reason, .. }
            | Self::Image { reason, .. } => one_line(reason),
            other => other.to_string(),
        }
    }

    /// An [`Error::Config`] with its cause.
    pub fn caused_by(mut self, cause: impl StdError + Send + Sync + 'static) -> Self {
        if let Self::Config { source, .. } = &mut self {
            *source = Some(Arc::new(cause));
        }
        self
    }

    /// An [`Error::Io`] at `path`.
    pub fn io(path: impl fmt::Display, source: std::io::Error) -> Self {
        Self::Io { path: short(path, SUBJECT), source: Arc::new(source) }
    }

    /// An [`Error::Checkpoint`] in `file`.
    pub fn checkpoint(file: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::Checkpoint { file: short(file, SUBJECT), reason: one_line(reason) }
    }

    /// An [`Error::Hub`] about `model`.
    pub fn hub(model: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::Hub { model: short(model, SUBJECT), reason: one_line(reason) }
    }

    /// An [`Error::Image`] about the picture `name`.
    pub fn image(name: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::Image { name: short(name, SUBJECT), reason: one_line(reason) }
    }

    /// An [`Error::Config`] in `file`.
    pub fn config(file: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::Config { file: short(file, SUBJECT), reason: one_line(reason), source: None }
    }
}

/// Of a program that reads its own files; [`Error::io`] names the file.
impl From<std::io::Error> for Error {
    fn from(source: std::io::Error) -> Self {
        Self::io("input or output", source)
    }
}

/// The most bytes of a line, and a few: a file may hold a name as long as itself.
const LONGEST: usize = 2000;

/// The most bytes of the name that a line begins with, so that the reason is still to be read.
const SUBJECT: usize = 1000;

/// The most bytes of a name in a list.
const ITEM: usize = 120;

/// The most names of a list.
const ITEMS: usize = 8;

/// Whether a character acts on a terminal or hides in a text: controls, line ends, marks that change
/// the direction of writing, and characters without width.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
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
        spell(&mut line, c);
    }
    line
}

fn spell(line: &mut String, c: char) {
    if is_hidden(c) {
        line.extend(c.escape_default());
    } else {
        line.push(c);
    }
}

/// A name that can be shown within a line: some `most` bytes, of a longer one its begin and its end.
pub fn short(name: impl fmt::Display, most: usize) -> String {
    let name = name.to_string();
    let mut line = String::new();
    for (at, c) in name.char_indices() {
        spell(&mut line, c);
        if line.len() > most && at < name.len() {
            break;
        }
    }
    if line.len() <= most {
        return line;
    }
    let begin: String = fitting(line.chars(), most / 2).collect();
    // The end is spelled on its own: what lies between may have megabytes.
    let mut end = String::new();
    let last: Vec<char> = fitting(name.chars().rev(), most / 2).collect();
    last.iter().rev().for_each(|c| spell(&mut end, *c));
    let end: Vec<char> = fitting(end.chars().rev(), most / 2).collect();
    format!("{begin}…{}", end.iter().rev().collect::<String>())
}

/// The first characters that fit a number of bytes.
fn fitting(chars: impl Iterator<Item = char>, bytes: usize) -> impl Iterator<Item = char> {
    let taken = chars.scan(0, |length, c| {
        *length += c.len_utf8();
        Some((*length, c))
    });
    taken.take_while(move |(length, _)| *length <= bytes).map(|(_, c)| c)
}

/// The first names of a list, and how many more there are.
pub fn list(names: impl IntoIterator<Item = impl fmt::Display>) -> String {
    let mut names = names.into_iter();
    let shown: Vec<String> = names.by_ref().take(ITEMS).map(|name| short(name, ITEM)).collect();
    match names.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A number of things by the name of one: `1 file`, `2 files`, `2 classes`.
pub fn counted(number: u64, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        number if one.ends_with('s') => format!("{number} {one}es"),
        number => format!("{number} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        let said = |number: u64| [counted(number, "file"), counted(number, "class")].join(", ");
        assert_eq!(said(0), "0 files, 0 classes");
        assert_eq!(said(1), "1 file, 1 class");
        assert_eq!(said(2), "2 files, 2 classes");
    }

    #[test]
    fn names_keep_their_ends() {
        let long = format!("{}/photos/cat.jpg", "\u{202e}x".repeat(100_000));
        let said = Error::image(&long, "cut off").to_string();
        assert!(said.ends_with("/photos/cat.jpg: cut off") && said.len() < 1100, "{said}");
        assert!(!said.chars().any(is_hidden), "{said}");
        assert_eq!(short("cat.jpg", 100), "cat.jpg");
        assert_eq!(short("äöü".repeat(9), 8), "äö…öü");
    }

    #[test]
    fn causes_are_kept_and_shared() {
        let io: Error = std::io::Error::from(std::io::ErrorKind::NotFound).into();
        assert_eq!((io.kind(), io.clone().to_string()), ("io", io.to_string()));
        assert!(io.source().is_some());
        let cause = serde_json::from_str::<u8>("x").expect_err("no number");
        let config = Error::config("config.json", &cause).caused_by(cause);
        let found = config.source().expect("a cause");
        assert!(config.to_string().ends_with(&found.to_string()), "{config}");
        assert!(Error::image("x.png", "cut off").source().is_none());
    }

    #[test]
    fn lists_are_shortened() {
        assert_eq!(list(["a", "b"]), "a, b");
        assert_eq!(list(0..100), "0, 1, 2, 3, 4, 5, 6, 7 and 92 more");
        assert!(list(["x".repeat(1 << 20), "end".into()]).len() < 200);
    }
}

//! What a command line, a page and a window do alike: the photographs of a session with their
//! features, the colours and the lesson that they share. It knows no user interface.

mod album;
mod heads;
mod lesson;
mod photo;
mod shape;
mod taught;
mod texts;
mod windows;

pub use album::Album;
pub use heads::{class_names, class_palette};
pub use lesson::{Example, Gathered, Kept, Lesson, Vector};
pub use photo::{Keep, Photo};
pub use shape::{Cut, Shape};
pub use texts::ReadTexts;
pub use windows::{Cover, Windows};

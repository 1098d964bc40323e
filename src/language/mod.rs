//! Conversations about pictures: what a language model is given of them, the prompt's form, and the choice of the next
//! token. The model itself is a plan like any other (`src/plan/record/language.rs`).

mod looked;
mod prompt;
mod sample;
mod talk;
mod visual;

pub use looked::{Look, over_photograph};
pub use prompt::{IMAGE, PICTURE, Piece, Role, Template, places, spelled};
pub use sample::Sampling;
pub use talk::{Answering, Said, Talk};

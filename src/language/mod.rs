//! Conversations about pictures: what a language model is given of them, the prompt's form, and the choice of the next
//! token. The model itself is a plan like any other (`src/plan/record/language.rs`).

mod visual;

//! Every kernel against its twin on random inputs, a few operations at a time, over sizes that are
//! no multiples of the tiles. Outputs are poisoned with NaN first; no model is read or written.
#![allow(clippy::unwrap_used, unreachable_pub, reason = "tests")]

mod activations;
mod attention;
mod case;
mod device;
mod guided;
mod linear;
mod maps;
mod norms;
mod rows;
mod states;
mod widths;

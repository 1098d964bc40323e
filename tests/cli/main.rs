//! The command line, as its users run it.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/cli.rs"]
mod run;
#[path = "../common/hub.rs"]
mod served;

mod adapters;
mod app;
mod bench;
mod command;
mod convert;
mod damaged;
mod formats;
mod heads;
mod hub;
mod layers;
mod look;
mod outputs;
mod parquet;
mod preprocessing;
mod shader;
mod text;
mod torch;

//! The command line, as its users run it.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/gguf.rs"]
mod gguf;
#[path = "../common/cli.rs"]
mod run;
#[path = "../common/hub.rs"]
mod served;

mod adapters;
mod app;
mod bench;
mod built_in;
mod chat;
mod classify;
mod command;
mod convert;
mod damaged;
mod documents;
mod edges;
mod folders;
mod formats;
mod found;
mod heads;
mod hub;
mod init;
mod inputs;
mod layers;
mod lessons;
mod look;
mod look_families;
mod names;
mod outputs;
mod parquet;
mod preprocessing;
mod search;
mod serve;
mod shader;
mod taught;
mod text;
mod tiles;
mod torch;
mod torch_sums;

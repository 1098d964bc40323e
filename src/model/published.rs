//! Published encoders of every family, by what they are good for.

use serde::Deserialize;
use serde_json::Value;

/// What encoders are good for.
#[derive(Deserialize)]
pub struct Purpose {
    /// In one word.
    pub purpose: String,
    /// In a line.
    pub title: String,
    /// Encoders, the smallest first.
    pub models: Vec<Published>,
}

/// A published encoder. Name and licence were read on its page of the hub.
#[derive(Deserialize)]
pub struct Published {
    /// `owner/name` on the Hugging Face hub.
    pub name: String,
    /// None where its page names none.
    pub licence: Option<String>,
    /// Whether the hub asks to accept the licence first.
    pub gated: bool,
    /// What it is to be taken for, a sentence.
    pub advice: String,
    /// Bits of a stored parameter.
    pub bits: u64,
    /// Pixels of a picture's side.
    pub image: u64,
    /// Pixels of a patch's side.
    pub patch: u64,
    /// Blocks.
    pub layers: u64,
    /// Values of a token.
    pub hidden: u64,
    /// Of the encoder, without heads and texts.
    pub parameters: u64,
    /// What its `config.json` says of its shape.
    pub config: Value,
}

/// All of them, as `published.json` beside this file has them; the page reads the same file.
pub fn published() -> Vec<Purpose> {
    let read = serde_json::from_str(include_str!("published.json"));
    read.unwrap_or_else(|e| unreachable!("a part of the program: {e}"))
}

impl Published {
    /// Bytes of its tensors as they are published.
    pub fn bytes(&self) -> u64 {
        self.bits / 8 * self.parameters
    }

    /// Its licence in words, and whether it is to be accepted first.
    pub fn terms(&self) -> String {
        let licence = self.licence.as_deref().unwrap_or("see its page");
        let gated = if self.gated { ", to be accepted on its page first" } else { "" };
        format!("licence: {licence}{gated}")
    }
}

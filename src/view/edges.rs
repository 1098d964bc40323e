//! Where the edges of a view come from when it is drawn over a photograph.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Where the edges of a drawn view come from. A view's data are the same in all cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Edges {
    /// The patches: a square each.
    Patches,
    /// None: values are interpolated from patch to patch.
    Smooth,
    /// The photograph: values are interpolated such that they change where its colours do.
    #[default]
    Photograph,
}

impl Edges {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Patches, Self::Smooth, Self::Photograph];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Patches => "patches",
            Self::Smooth => "smooth",
            Self::Photograph => "photograph",
        }
    }
}

impl fmt::Display for Edges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Edges {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|edges| edges.name() == name);
        found.ok_or_else(|| {
            let name = crate::error::short(name, 80);
            Error::input(format!("edges must be patches, smooth or photograph, not \"{name}\""))
        })
    }
}

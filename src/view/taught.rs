//! The view of the classes that were taught.

use super::needs::Head;
use super::request::View;
use super::segmentation::{classes, parts};
use super::settings::Fields;
use super::{Inputs, Map, Needs};
use crate::Result;

/// The classes that were taught.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taught {}

impl View for Taught {
    fn settings(&mut self, _: &mut Fields) -> Result<()> {
        Ok(())
    }

    fn needs(&self) -> Needs {
        Needs { head: Some(Head::Taught), ..Needs::default() }
    }

    fn draw(&self, inputs: &Inputs<'_>) -> Result<Map> {
        classes(inputs)
    }

    fn sentence(&self, map: &Map) -> String {
        parts(map)
    }
}

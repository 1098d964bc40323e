//! Which families of kernels a device can run, and which it does.

use super::device::Gpu;
use super::family::Family;
use crate::precision::Precision;
use crate::{Error, Result};

impl Gpu {
    /// The kernels that it runs.
    pub fn family(&self) -> Family {
        self.forced.unwrap_or_else(|| self.own_family())
    }

    /// Runs the kernels of a family in place of those that suit it best; plans that are prepared keep theirs.
    ///
    /// # Errors
    /// [`Error::Device`] where it cannot.
    pub fn force(&mut self, family: Family) -> Result<()> {
        if !family.runs_on(&self.caps) {
            let (name, family) = (&self.report.name, family.name());
            return Err(Error::device(format!("{name} cannot run the kernels of {family}")));
        }
        self.forced = Some(family);
        Ok(())
    }

    /// The kernels that compute the same on it, its own first.
    pub fn families(&self) -> Vec<Family> {
        let own = self.own_family();
        let rounds = self.precision == Precision::W8A8;
        let others = Family::candidates(&self.caps).filter(|family| *family != own && !rounds);
        std::iter::once(own).chain(others).collect()
    }

    /// The kernels that suit it as far as is known without a measurement.
    fn own_family(&self) -> Family {
        match self.precision {
            Precision::W8A8 => Family::Packed,
            _ => Family::of(&self.caps),
        }
    }
}

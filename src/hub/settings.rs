//! The settings of preprocessing of a model that another program fetched without them.

use std::path::Path;

use super::http::Fault;
use super::{Hub, Name, Step, Tell, report};
use crate::weights::SETTINGS;
use crate::{Error, Result};

impl Hub {
    /// Whether nothing is known of the settings of a model in the shared cache: they are not there, and
    /// no note says that the repository has none.
    pub(super) fn lacks_settings(&self, model: &Name, folder: &Path) -> bool {
        let commit = folder.file_name().unwrap_or_default().to_string_lossy();
        folder == self.cache.snapshot(model, &commit)
            && !SETTINGS.iter().any(|file| folder.join(file).exists())
            && !SETTINGS.iter().all(|file| self.cache.is_noted_missing(model, &commit, file))
    }

    /// Asks for the settings that a model of the cache lacks, and says where that cannot be done.
    pub(super) fn ask_settings(
        &self,
        model: &Name,
        folder: &Path,
        tell: &mut Tell<'_>,
    ) -> Result<()> {
        if !self.lacks_settings(model, folder) {
            return Ok(());
        }
        let why = match self.offline {
            Some(offline) => format!("{offline} forbids to ask for them"),
            None => match self.repository(model, true, tell) {
                Ok(repository) => {
                    for file in SETTINGS.iter().filter(|file| repository.find(file).is_none()) {
                        self.cache.note_missing(model, &repository.commit, file);
                    }
                    return self.settings(model, &repository, true, tell);
                }
                Err(Fault::Final(Error::Cancelled)) => return Err(Error::Cancelled),
                Err(fault) => fault.error(model).to_string(),
            },
        };
        let note = format!(
            "{model}: its settings of preprocessing were not fetched, and {why}; going on with those \
             of its family"
        );
        report(tell, Step::Note(&note))
    }
}

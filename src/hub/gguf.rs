//! Models in GGUF: of the many files of a repository one model with all its parts, and its projector.

use std::path::{Path, PathBuf};

use super::{Fetched, Hub, Name, Remote, Repository, Tell};
use crate::error::list;
use crate::weights::Named;
use crate::{Error, Result};

/// Of several projectors, which differ in their types alone, the first of these is taken.
const PROJECTORS: [&str; 4] = ["BF16", "F16", "F32", "Q8_0"];

impl Hub {
    /// Fetches what is missing of a model in GGUF, and remembers its commit.
    pub(super) fn bring_gguf(
        &self,
        model: &Name,
        repository: &Repository,
        tell: &mut Tell<'_>,
    ) -> Result<Fetched> {
        let commit = &repository.commit;
        let files = chosen(model, repository.names(), self.texts)?.ok_or_else(|| {
            let choice = model.choice().unwrap_or_default();
            let there = match firsts(&Named::among(repository.names())) {
                none if none.is_empty() => "none at all".into(),
                firsts => firsts,
            };
            Error::hub(model, format!("no model in GGUF called {choice:?}, but {there}"))
        })?;
        let mut gguf = Vec::new();
        // The projector comes first: where the model stands, all stands.
        for name in files.iter().rev() {
            let file = repository.need(model, name)?;
            gguf.push(self.whole(model, commit, file, tell)?);
        }
        gguf.reverse();
        self.cache.keep_commit(model, commit)?;
        Ok(Fetched { folder: self.cache.snapshot(model, commit), gguf })
    }

    /// A model in GGUF that is on this machine, complete and as it was fetched.
    pub(super) fn kept_gguf(&self, model: &Name, tell: &mut Tell<'_>) -> Result<Option<Fetched>> {
        let Some(commit) = self.cache.commit(model) else { return Ok(None) };
        let folder = self.cache.snapshot(model, &commit);
        let mut names = Vec::new();
        add_names(&folder, "", &mut names);
        let files = match chosen(model, names.iter().map(String::as_str), self.texts) {
            Ok(Some(files)) => files,
            Err(error) if self.offline.is_some() => return Err(error),
            _ => return Ok(None),
        };
        let gguf: Vec<PathBuf> = files.iter().map(|name| folder.join(name)).collect();
        for path in &gguf {
            let held = match Remote::linked(path) {
                Some(file) => self.cache.proofs.holds(path, &file, tell)?,
                None => path.is_file(),
            };
            if !held {
                return Ok(None);
            }
        }
        Ok(Some(Fetched { folder, gguf }))
    }
}

/// The files of the model that is meant, the projector last; `None` where none is called so. Where no texts are read
/// the projector alone, which has the tower. `web/worker/gguf-files.ts` says the same.
fn chosen<'a>(
    model: &Name,
    names: impl Iterator<Item = &'a str>,
    texts: bool,
) -> Result<Option<Vec<String>>> {
    let all = Named::among(names);
    let meant = |one: &&Named| model.choice().is_none_or(|choice| one.is_called(choice));
    // A projector is meant where nothing else is.
    let (projectors, models): (Vec<_>, Vec<_>) =
        all.iter().filter(meant).partition(|one| one.is_projector());
    let one = match if models.is_empty() { projectors } else { models }[..] {
        [] => return Ok(None),
        [one] => one,
        _ => {
            let repository = model.repository();
            let reason = format!(
                "several models in GGUF, {}: name one, as {repository}:Q4_K_M or {repository}:FILE.gguf",
                firsts(&all)
            );
            return Err(Error::hub(model, reason));
        }
    };
    let projectors = || all.iter().filter(|one| one.is_projector());
    let preferred = PROJECTORS.iter().find_map(|kind| projectors().find(|p| p.is_quantised(kind)));
    let projector = preferred.or_else(|| projectors().next()).filter(|p| *p != one);
    Ok(Some(match (projector, texts) {
        (Some(projector), true) => [&one.files[..], &projector.files].concat(),
        (Some(projector), false) => projector.files.clone(),
        (None, _) => one.files.clone(),
    }))
}

/// The first file of each model, for people.
fn firsts(all: &[Named]) -> String {
    list(all.iter().filter(|one| !one.is_projector()).map(|one| &one.files[0]))
}

/// Whether a repository has no other weights than GGUF.
pub(super) fn is_all(repository: &Repository) -> bool {
    let others = ["model.safetensors", "model.safetensors.index.json"];
    let gguf = !Named::among(repository.names()).is_empty();
    gguf && others.iter().all(|name| repository.find(name).is_none())
}

/// The names of the files of a snapshot and of the folders in it, from its root.
fn add_names(folder: &Path, within: &str, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{within}{}", entry.file_name().to_string_lossy());
        match entry.path().is_dir() {
            true if within.is_empty() => add_names(&entry.path(), &format!("{name}/"), names),
            true => {}
            false => names.push(name),
        }
    }
    names.sort();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// The cases that the page's choice is held against, too.
    #[test]
    fn the_model_that_is_meant() {
        let cases = include_str!("../../tests/common/gguf-names.json");
        let cases: serde_json::Value = serde_json::from_str(cases).unwrap();
        let list = |value: &serde_json::Value| -> Option<Vec<String>> {
            let text = |one: &serde_json::Value| one.as_str().unwrap().to_string();
            Some(value.as_array()?.iter().map(text).collect())
        };
        for case in cases["files"].as_array().unwrap() {
            let names = list(&case["names"]).unwrap();
            let choice = case["choice"].as_str().map_or(String::new(), |c| format!(":{c}"));
            let model = Name::parse(&format!("a/b{choice}")).unwrap();
            let found = chosen(&model, names.iter().map(String::as_str), true);
            match (found, case["several"].as_bool()) {
                (Ok(found), None) => assert_eq!(found, list(&case["files"]), "{case}"),
                (Err(error), Some(true)) => {
                    assert!(error.to_string().contains("name one, as a/b:Q4_K_M"), "{error}");
                }
                (found, _) => panic!("{case}: {found:?}"),
            }
        }
        for case in cases["models"].as_array().unwrap() {
            let found = Name::parse(case["name"].as_str().unwrap()).map(|name| {
                (
                    name.repository().to_string(),
                    name.revision().to_string(),
                    name.choice().map(String::from),
                )
            });
            let part = |key: &str| case[key].as_str().map(String::from);
            let expected =
                part("repo").map(|repo| (repo, part("revision").unwrap(), part("choice")));
            assert_eq!(found, expected, "{case}");
        }
    }
}

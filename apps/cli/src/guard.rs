//! What a run reads and writes, checked before anything is loaded: no output may destroy an input or
//! another output, and each can be written.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use internvit::files::{folder_of, probe};
use internvit::{Checkpoint, Error, Result};

/// The files of a run.
#[derive(Default)]
pub(super) struct Guard {
    inputs: Vec<PathBuf>,
    outputs: Vec<PathBuf>,
    /// Outputs whose folders are made.
    made: HashSet<PathBuf>,
    /// What some outputs are made of, by the outputs' numbers: an input and its number.
    sources: HashMap<usize, (usize, PathBuf)>,
}

impl Guard {
    /// Adds files that are read.
    pub(super) fn reads<P: AsRef<Path>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.inputs.extend(paths.into_iter().map(|path| path.as_ref().to_path_buf()));
        self
    }

    /// Adds a file that is written, whose name must have one of the endings.
    pub(super) fn writes(mut self, path: Option<&Path>, endings: &[&str]) -> Result<Self> {
        let Some(path) = path else { return Ok(self) };
        let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        if !ending.is_some_and(|ending| endings.contains(&ending.as_str())) {
            let (last, others) = endings.split_last().unwrap_or((&"", &[]));
            let others = others.iter().map(|e| format!(".{e}")).collect::<Vec<_>>().join(", ");
            let known = match others.is_empty() {
                true => format!(".{last}"),
                false => format!("{others} or .{last}"),
            };
            let path = path.display();
            return Err(Error::input(format!("{path}: expected a name ending in {known}")));
        }
        self.outputs.push(path.into());
        Ok(self)
    }

    /// Adds files that are made of the input of a number, whose folders are made where they are missing.
    pub(super) fn makes(mut self, (number, source): (usize, &Path), paths: &[&Path]) -> Self {
        for path in paths {
            self.sources.insert(self.outputs.len(), (number, source.into()));
            self.outputs.push((*path).into());
            self.made.insert((*path).into());
        }
        self
    }

    /// Refuses outputs that cannot be written, or that are an input or another output.
    pub(super) fn check(&self) -> Result<()> {
        let mut folders = HashMap::new();
        let mut known: HashMap<Place, usize> = HashMap::new();
        for (number, path) in self.outputs.iter().enumerate() {
            if is_device(path) {
                continue;
            }
            let place = place(path, self.made.contains(path), &mut folders)?;
            if let Some(other) = known.insert(place, number) {
                return Err(self.twice(number, other));
            }
        }
        // A map's folder may have the name of another map.
        for (place, number) in &known {
            if let Some(other) = place.ancestors().skip(1).find_map(|folder| known.get(folder)) {
                let [path, folder] = [*number, *other].map(|n| self.outputs[n].display());
                let of = self.of(*number, *other);
                return Err(Error::input(format!(
                    "{path}{of}: {folder} would be its folder and a file"
                )));
            }
        }
        keeps(&self.outputs, &self.inputs)
    }

    /// That two outputs are one file.
    fn twice(&self, number: usize, other: usize) -> Error {
        let [path, first] = [number, other].map(|n| self.outputs[n].display());
        Error::input(match self.of(other, number) {
            of if of.is_empty() => format!("{path}: would be written twice (also {first})"),
            of => format!("{path}: would be written twice{of}: name each photograph once"),
        })
    }

    /// The inputs of two outputs, where they are two.
    fn of(&self, first: usize, second: usize) -> String {
        match [first, second].map(|output| self.sources.get(&output)) {
            [Some((first, one)), Some((second, two))] if first != second => {
                format!(", of {} and of {}", one.display(), two.display())
            }
            _ => String::new(),
        }
    }

    /// Refuses outputs that are files of the model.
    pub(super) fn keeps_model(&self, checkpoint: &Checkpoint) -> Result<()> {
        let files: Vec<PathBuf> = checkpoint.file_names().map(PathBuf::from).collect();
        keeps(&self.outputs, &files)
    }
}

/// Refuses outputs that are one of the inputs, under whatever name.
fn keeps(outputs: &[PathBuf], inputs: &[PathBuf]) -> Result<()> {
    let there: Vec<_> = outputs
        .iter()
        .filter(|path| !is_device(path))
        .filter_map(|p| Some((identity(p)?, p)))
        .collect();
    if there.is_empty() {
        return Ok(());
    }
    for input in inputs {
        let same = identity(input).and_then(|id| there.iter().find(|(other, _)| *other == id));
        if let Some((_, path)) = same {
            let path = path.display();
            return Err(Error::input(format!("{path}: would be overwritten, but is an input")));
        }
    }
    Ok(())
}

/// Whether something that is neither file nor folder is there: a pipe, a terminal.
fn is_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir())
}

/// Where a file is or will be, the names that are not there yet in one case where the disk knows none.
type Place = PathBuf;

fn place(path: &Path, made: bool, folders: &mut HashMap<PathBuf, bool>) -> Result<Place> {
    let failed = |e: std::io::Error| Error::io(path.display(), e);
    if path.is_dir() {
        return Err(Error::input(format!("{}: a folder, expected a file", path.display())));
    }
    let named = match folder_of(path).ancestors().find(|folder| made && folder.exists()) {
        Some(there) => there,
        None if made => Path::new("."),
        None => folder_of(path),
    };
    let folder = named.canonicalize().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::input(format!(
            "{}: the folder {} does not exist; create it first",
            path.display(),
            named.display()
        )),
        _ => failed(e),
    })?;
    let folds = match folders.get(&folder) {
        Some(folds) => *folds,
        None => probe(&folder).map_err(failed)?,
    };
    folders.insert(folder.clone(), folds);
    let mut place = folder;
    // What is not there yet holds no links.
    for part in path.strip_prefix(named).unwrap_or(path).components() {
        match part {
            Component::ParentDir => {
                place.pop();
            }
            Component::Normal(name) if folds => place.push(name.to_string_lossy().to_lowercase()),
            Component::Normal(name) => place.push(name),
            _ => {}
        }
    }
    Ok(place)
}

/// What a file is, whatever its name.
#[cfg(unix)]
fn identity(path: &Path) -> Option<impl PartialEq + use<>> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|there| (there.dev(), there.ino()))
}

/// What a file is, whatever its name.
#[cfg(not(unix))]
fn identity(path: &Path) -> Option<impl PartialEq + use<>> {
    same_file::Handle::from_path(path).ok()
}

//! Which kernels a probe found right and fastest for a shape, kept from process to process.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

use etcetera::{BaseStrategy, choose_base_strategy};
use serde::{Deserialize, Serialize};

use super::cache::{digest, replace};
use super::family::Family;
use super::kernels::{Attention, Product, RowKind, rows};
use super::link::SHADERS;
use crate::{Error, IN_BROWSER, Result};

/// What turns probes off, or on as they are without it.
const SWITCH: &str = "INTERNVIT_PROBE";
/// Seconds that the probes of one device may take.
const PATIENCE: f64 = 2.0;
/// The part of the time that a kernel may take at most to be taken in place of the device's own.
const MARGIN: f64 = 0.95;

/// What is known of a device's kernels.
#[derive(Clone, Debug, Default)]
pub(super) struct Tuning {
    /// Whether shapes that nothing is known of are probed.
    pub(super) on: bool,
    /// Seconds that are left for it.
    pub(super) left: f64,
    /// Where it is kept.
    file: Option<PathBuf>,
    /// What else would make it void: adapter, driver, kernels.
    of: String,
    pub(super) known: BTreeMap<String, Found>,
}

/// What a probe found for a shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The operation and its sizes, rows up to the next power of two.
    pub shape: String,
    /// The family whose kernel is taken.
    pub family: Family,
    /// Every kernel that was tried, the device's own first.
    pub trials: Vec<Trial>,
}

/// A kernel that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Its family.
    pub family: Family,
    /// Its main file.
    pub kernel: String,
    /// Whether its numbers are those of the device's own kernel.
    pub right: bool,
    /// The shortest time of some runs; none where it was not right.
    pub seconds: Option<f64>,
}

/// The file's content.
#[derive(Serialize, Deserialize)]
struct Kept {
    of: String,
    found: Vec<Found>,
}

impl Found {
    /// Of trials, of which the first is the device's own kernel: another is taken where it is right, and faster by
    /// more than what runs differ by.
    pub(super) fn of(shape: &str, trials: Vec<Trial>) -> Option<Self> {
        let own = trials.first()?;
        let limit = MARGIN * own.seconds?;
        let right = trials.iter().filter(|trial| trial.right);
        let timed = right.filter_map(|trial| Some((trial.seconds?, trial.family)));
        let fastest = timed.filter(|(seconds, _)| *seconds > 0.0 && *seconds < limit);
        let fastest = fastest.min_by(|a, b| a.0.total_cmp(&b.0));
        let family = fastest.map_or(own.family, |(_, family)| family);
        Some(Self { shape: shape.into(), family, trials })
    }
}

impl Tuning {
    /// Of an adapter, as far as it is kept in the user's cache folder. Of one that computes on the CPU nothing is:
    /// what it is decides.
    ///
    /// # Errors
    /// [`Error::Device`] where the environment's switch says neither yes nor no.
    pub(super) fn open(info: &wgpu::AdapterInfo, software: bool) -> Result<Self> {
        let switch = std::env::var(SWITCH).unwrap_or_default();
        let on = match switch.as_str() {
            "" | "on" | "1" => true,
            "off" | "0" => false,
            other => {
                return Err(Error::device(format!(
                    "{SWITCH}: expected on or off, found {other:?}"
                )));
            }
        };
        if !on || software || IN_BROWSER {
            return Ok(Self::default());
        }
        let of = format!(
            "{:?} {} {} {} {:x} {:x}",
            info.backend, info.name, info.driver, info.driver_info, info.vendor, info.device
        );
        let name = format!("tuning-{:016x}.json", u64::from_le_bytes(digest(of.as_bytes())));
        let folder = choose_base_strategy().ok().map(|base| base.cache_dir().join("internvit"));
        Ok(Self::at(folder.map(|folder| folder.join(name)), &of))
    }

    /// What a file keeps of an adapter: nothing where it is of another one or of other kernels, damaged, or not there.
    pub(super) fn at(file: Option<PathBuf>, adapter: &str) -> Self {
        let of = format!("{adapter}; kernels {:016x}", kernels());
        let known = file.as_deref().and_then(|file| read(file, &of)).unwrap_or_default();
        let known = known.into_iter().map(|found| (found.shape.clone(), found)).collect();
        Self { on: true, left: PATIENCE, file, of, known }
    }

    /// Forgets all, for a probe that may take its time.
    pub(super) fn renew(&mut self, seconds: f64) {
        self.known.clear();
        (self.on, self.left) = (true, seconds);
    }

    /// The family that was found for a shape.
    pub(super) fn family(&self, shape: &str) -> Option<Family> {
        let found = self.known.get(shape)?;
        let right = found.trials.iter().any(|trial| trial.right && trial.family == found.family);
        right.then_some(found.family)
    }

    /// Where it is kept.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Keeps what is known for later processes. Without it the next one only probes again, so no failure counts.
    pub(super) fn save(&self) {
        let Some(file) = &self.file else { return };
        let kept = Kept { of: self.of.clone(), found: self.known.values().cloned().collect() };
        if let Ok(text) = serde_json::to_vec_pretty(&kept) {
            let _ = replace(file, &text);
        }
    }
}

fn read(file: &Path, of: &str) -> Option<Vec<Found>> {
    let kept: Kept = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    (kept.of == of).then_some(kept.found)
}

/// Changes with any kernel, and with any row of their tables.
fn kernels() -> u64 {
    let mut text: String = SHADERS.iter().map(|file| file.text).collect();
    text.push_str(&format!("{:?}", rows()));
    u64::from_le_bytes(digest(text.as_bytes()))
}

/// A product's shape, where more than one kernel may compute it.
pub(super) fn product_shape(product: &Product, planes: usize) -> Option<String> {
    let rows = product.rows.next_power_of_two();
    let Product { k, cols, format, half, gather, .. } = product;
    let named = |kind: &dyn Debug| format!("{kind:?}").to_lowercase();
    let types = half.map(|half| if half { "f16" } else { "f32" }).join(" to ");
    (*gather == RowKind::Rows)
        .then(|| format!("linear {rows} × {k} × {} of {}, {types}", planes * cols, named(format)))
}

/// The shape of attention, likewise.
pub(super) fn attention_shape(attention: &Attention, groups: usize) -> Option<String> {
    let Attention { tokens, heads, head_dim, bias, cross, half } = attention;
    let (tokens, groups) = (tokens.next_power_of_two(), groups.next_power_of_two());
    let types = half.map(|half| if half { "f16" } else { "f32" }).join(" to ");
    (!bias && !cross)
        .then(|| format!("attention {groups} × {tokens}, {heads} heads of {head_dim}, {types}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(family: Family, right: bool, seconds: f64) -> Trial {
        Trial { family, kernel: family.name().into(), right, seconds: Some(seconds) }
    }

    /// What is taken in place of a kernel of one second.
    fn taken(others: &[Trial]) -> Family {
        let own = trial(Family::Portable, true, 1.0);
        let trials = [&[own], others].concat();
        Found::of("a product", trials).expect("there is one").family
    }

    #[test]
    fn only_what_is_right_and_faster_by_a_margin_is_taken() {
        assert_eq!(taken(&[]), Family::Portable);
        assert_eq!(taken(&[trial(Family::Wide, true, 0.99)]), Family::Portable);
        assert_eq!(taken(&[trial(Family::Wide, true, 0.9)]), Family::Wide);
        assert_eq!(taken(&[trial(Family::Wide, false, 0.1)]), Family::Portable);
        let both = [trial(Family::Wide, true, 0.5), trial(Family::Tall, true, 0.4)];
        assert_eq!(taken(&both), Family::Tall);
        // A clock that does not advance says nothing.
        assert_eq!(taken(&[trial(Family::Wide, true, 0.0)]), Family::Portable);
        let untimed = Trial { seconds: None, ..trial(Family::Portable, true, 1.0) };
        assert_eq!(Found::of("a product", vec![untimed]), None);
    }

    #[test]
    fn what_is_kept_is_of_one_adapter_and_these_kernels() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("deep/tuning.json");
        let open = |adapter| Tuning::at(Some(file.clone()), adapter);
        let mut tuning = open("A");
        assert!(tuning.known.is_empty());
        let trials = vec![trial(Family::Portable, true, 1.0), trial(Family::Wide, true, 0.5)];
        let found = Found::of("a product", trials).expect("there is one");
        tuning.known.insert(found.shape.clone(), found.clone());
        tuning.save();
        assert_eq!(open("A").family("a product"), Some(Family::Wide));
        assert_eq!((open("A").family("another"), open("B").known.len()), (None, 0));
        // Damaged in any way it is as if it were not there.
        let whole = std::fs::read(&file).expect("it was written");
        let text = String::from_utf8(whole.clone()).expect("text");
        for damaged in [
            &whole[..whole.len() / 2],
            b"",
            b"{}",
            &[0xff; 100],
            text.replace("; kernels ", "; kernels 0").as_bytes(),
            text.replace("\"wide\"", "\"nothing\"").as_bytes(),
        ] {
            std::fs::write(&file, damaged).expect("written");
            assert!(open("A").known.is_empty(), "{}", String::from_utf8_lossy(damaged));
        }
        // A choice that no trial supports is none.
        std::fs::write(&file, text.replace("true", "false")).expect("written");
        assert_eq!(open("A").family("a product"), None);
        // A folder in its place can neither be read nor written.
        std::fs::remove_file(&file).expect("removed");
        std::fs::create_dir(&file).expect("made");
        open("A").save();
        assert!(open("A").known.is_empty());
    }
}

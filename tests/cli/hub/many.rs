//! Many processes at once.

use std::fs;
use std::process::Stdio;

use super::*;
use crate::served::{bytes, succeeds};

/// How often what depends on chance is tried; by hand more often.
fn rounds() -> usize {
    std::env::var("INTERNVIT_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(2)
}

#[test]
fn two_at_once_fetch_once() {
    let hub = start("two");
    hub.behave(json!([{ "match": WEIGHTS, "slow": 600_000 }]));
    let run = || {
        let mut command = hub.command();
        command.args(["info", "--json", "--model", TOWER]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for child in [run(), run()] {
        succeeds(child.wait_with_output().unwrap());
    }
    let served = fs::metadata(hub.repository(TOWER).join(WEIGHTS)).unwrap().len();
    assert_eq!(bytes(&hub.log(), "signature"), served);
}

/// Many processes on a cold cache: none fails, bytes come once, and no reader sees a file vanish.
#[test]
fn many_at_once_on_a_cold_cache() {
    let hub = start("many");
    hub.behave(json!([{ "match": WEIGHTS, "slow": 4_000_000 }]));
    let snapshot = cache(&hub).join("snapshots").join(hub.commit(TOWER));
    let watched: Vec<PathBuf> = ["config.json", WEIGHTS, "preprocessor_config.json"]
        .iter()
        .map(|name| snapshot.join(name))
        .chain([cache(&hub).join("refs/main")])
        .collect();
    let served = fs::metadata(hub.repository(TOWER).join(WEIGHTS)).unwrap().len();
    for processes in [2, 3, 8, 20] {
        for round in 0..rounds() {
            let _ = fs::remove_dir_all(&hub.home);
            hub.log();
            let done = std::sync::atomic::AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let mut seen = [0; 4];
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        for (path, seen) in watched.iter().zip(&mut seen) {
                            let bytes = fs::read(path).map_or(0, |bytes| bytes.len());
                            assert!(bytes >= *seen, "{}: vanished", path.display());
                            *seen = bytes;
                        }
                    }
                });
                let run = |_| {
                    let mut command = hub.command();
                    command.args(["info", "--json", "--model", TOWER]);
                    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
                };
                let children: Vec<_> = (0..processes).map(run).collect();
                let outputs: Vec<_> =
                    children.into_iter().map(|c| c.wait_with_output().unwrap()).collect();
                done.store(true, std::sync::atomic::Ordering::Relaxed);
                for output in outputs {
                    let error = String::from_utf8_lossy(&output.stderr).into_owned();
                    assert!(output.status.success(), "{processes}, round {round}: {error}");
                }
            });
            assert_eq!(bytes(&hub.log(), "signature"), served, "{processes}, round {round}");
            assert!(parts(&hub).is_empty());
        }
    }
}

//! Runs that are stopped, and many at once.

use std::process::Stdio;
use std::time::Duration;

use super::*;
use crate::run::*;

/// Many at once into one file: each adds to it or says that another does.
#[test]
fn many_at_once() {
    let rounds = std::env::var("INTERNVIT_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
    let (folder, model, photos) = scene("parquet-many", 2);
    let out = folder.join("f.parquet");
    let (mut wrote, mut refused) = (0, 0);
    for round in 0..rounds {
        let children: Vec<_> = (0..6)
            .map(|_| {
                let mut command = crate::run::program();
                command.args(arguments(&photos, &model, &out));
                command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
            })
            .collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            let ours = error.lines().find(|line| line.starts_with("internvit: "));
            match output.status.success() {
                true => wrote += 1,
                false => refused += 1,
            }
            assert!(
                ours.is_none_or(|line| line.ends_with("f.parquet: another run is writing it")),
                "round {round}: {error}"
            );
        }
        assert_eq!(rows(&out).len(), 2, "round {round}");
        let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        let ours = |name: &str| name.starts_with('.') || name.ends_with(".parts");
        assert!(!left.iter().any(|name| ours(&name.to_string_lossy())), "round {round}: {left:?}");
        fs::remove_file(&out).unwrap();
    }
    println!("{rounds} rounds: {wrote} wrote, {refused} were refused");
}

/// What a run did not make is neither taken up nor written through.
#[test]
#[cfg(unix)]
fn parts_of_somebody_else() {
    use std::os::unix::fs::symlink;
    let (folder, model, photos) = scene("parquet-foreign", 2);
    let (out, victim) = (folder.join("q.parquet"), folder.join("victim"));
    let parts = folder.join("q.parquet.parts");
    fs::write(&victim, "precious").unwrap();
    let refused = |expected: &str| {
        fails(&arguments(&photos, &model, &out), expected);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert!(!out.exists());
    };
    // Links in a folder without the mark.
    fs::create_dir(&parts).unwrap();
    for name in ["lock", "part", "whole", "internvit", "1-000000.parquet"] {
        symlink(&victim, parts.join(name)).unwrap();
    }
    refused("q.parquet.parts: expected the parts that a stopped run left");
    fs::remove_dir_all(&parts).unwrap();
    // A link in place of the folder, and of the lock.
    let elsewhere = folder.join("elsewhere");
    parts_folder(&elsewhere);
    symlink(&elsewhere, &parts).unwrap();
    refused("q.parquet.parts: expected the parts that a stopped run left");
    fs::remove_file(&parts).unwrap();
    symlink(&victim, folder.join(".q.parquet.lock")).unwrap();
    refused(".q.parquet.lock: a link, which is not followed here");
    fs::remove_file(folder.join(".q.parquet.lock")).unwrap();
    // Links beside a mark are no parts, and replaced where a part is written.
    parts_folder(&parts);
    for name in ["lock", "part", "whole", "1-000000.parquet"] {
        symlink(&victim, parts.join(name)).unwrap();
    }
    assert_eq!(counts(&encode(&photos, &model, &out, &[])), [2, 0, 0]);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert!(fs::symlink_metadata(&out).unwrap().is_file());
}

/// A run that is killed at any moment and started again ends with the same bytes.
#[test]
fn killed_runs_go_on() {
    let (folder, model, photos) = scene("parquet-killed", 60);
    fs::write(photos.join("017.png"), b"broken").unwrap();
    fs::write(photos.join("more/030.jpg"), b"").unwrap();
    let (whole, out) = (folder.join("whole.parquet"), folder.join("f.parquet"));
    encode(&photos, &model, &whole, &["--patch-tokens"]);
    let whole = fs::read(whole).unwrap();
    let parts = folder.join("f.parquet.parts");
    let left = || fs::read_dir(&parts).map_or(0, Iterator::count);
    let (mut stopped, mut kept) = (0, 0);
    for milliseconds in [0, 3, 9, 1, 27] {
        let before = left();
        let mut child = crate::run::program()
            .args([&arguments(&photos, &model, &out)[..], &["--patch-tokens"]].concat())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Milliseconds after another part is there, or the folder's mark alone.
        while child.try_wait().unwrap().is_none() && left() <= before {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(milliseconds));
        stopped += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        kept += usize::from(left() > 1);
    }
    assert!(stopped > 0 && kept > 0, "stopped {stopped} times, parts were left {kept} times");
    ok(&[&arguments(&photos, &model, &out)[..], &["--patch-tokens"]].concat());
    assert!(fs::read(&out).unwrap() == whole, "other bytes after {stopped} stops");
    assert!(!parts.exists());
    assert_eq!(rows(&out).len(), 61);

    // Stopped after the parts were joined and before they were removed.
    parts_folder(&parts);
    fs::copy(&out, parts.join("1-000000.parquet")).unwrap();
    let report = encode(&photos, &model, &out, &["--patch-tokens"]);
    assert_eq!(counts(&report), [0, 61, 0]);
    assert!(fs::read(&out).unwrap() == whole && !parts.exists());
}

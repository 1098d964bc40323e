//! Bytes are known by their digests, and no link is followed.

use std::fs;

use super::*;
use crate::served::{fails, succeeds};

#[test]
fn a_file_is_known_by_its_digest() {
    let hub = start("digest");
    hub.info(TOWER);
    let served = hub.repository(TOWER);
    let commit = hub.commit(TOWER);
    let snapshot = cache(&hub).join("snapshots").join(&commit);
    let weights = snapshot.join(WEIGHTS);
    let proofs = || fs::read_dir(hub.home.with_file_name("user").join("internvit/digests"));
    assert_eq!(proofs().unwrap().count(), 1, "one large file was compared");
    for file in [WEIGHTS, "config.json"] {
        for hidden in [false, cfg!(unix)] {
            spoil(&snapshot.join(file), hidden);
            // Nobody can be asked.
            for args in [&["--offline"][..], &[]] {
                let mut command = hub.command();
                command.env("HF_ENDPOINT", "http://127.0.0.1:9").args(["info", "--model", TOWER]);
                let error = fails(command.args(args).output().unwrap());
                assert!(error.contains(&format!("{file}: damaged in the cache")), "{error}");
            }
            let output = hub.run(&["info", "--json", "--model", TOWER]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains("damaged in the cache; it is fetched again"), "{said}");
            succeeds(output);
            assert!(same(&snapshot.join(file), &served.join(file)));
        }
    }
    // A commit is not asked about, but looked at.
    spoil(&weights, false);
    hub.info(&format!("{TOWER}@{commit}"));
    assert!(same(&weights, &served.join(WEIGHTS)));
    hub.log();
    hub.info(&format!("{TOWER}@{commit}"));
    assert!(hub.log().is_empty());
}

/// What another hub gave for the same commit, of the same length.
#[test]
#[cfg(unix)]
fn another_hubs_bytes_do_not_stand_for_this_ones() {
    let hub = start("mirror");
    hub.info(TOWER);
    let (served, commit) = (hub.repository(TOWER), hub.commit(TOWER));
    let weights = cache(&hub).join("snapshots").join(commit).join(WEIGHTS);
    let good = fs::read_link(&weights).unwrap();
    let blobs = cache(&hub).join("blobs");
    let mut bytes = fs::read(&weights).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let other = "a".repeat(64);
    for remove in [false, true] {
        fs::write(blobs.join(&other), &bytes).unwrap();
        fs::remove_file(&weights).unwrap();
        std::os::unix::fs::symlink(format!("../../blobs/{other}"), &weights).unwrap();
        if remove {
            fs::remove_file(blobs.join(good.file_name().unwrap())).unwrap();
        }
        hub.info(TOWER);
        assert!(same(&weights, &served.join(WEIGHTS)));
        assert_eq!(fs::read_link(&weights).unwrap(), good);
    }
    // A file without a link has its own bytes.
    fs::remove_file(&weights).unwrap();
    fs::write(&weights, &bytes).unwrap();
    hub.info(TOWER);
    assert!(same(&weights, &served.join(WEIGHTS)));
}

/// Links and other names of a file of somebody's, under the names that a download uses.
#[test]
#[cfg(unix)]
fn a_download_writes_through_no_link() {
    let hub = start("links");
    hub.info(TOWER);
    let weights = cache(&hub).join("snapshots").join(hub.commit(TOWER)).join(WEIGHTS);
    let blob = fs::canonicalize(&weights).unwrap();
    let victim = hub.home.with_file_name("victim");
    fs::write(&victim, "precious").unwrap();
    let part = blob.with_extension("incomplete");
    for hard in [false, true] {
        fs::remove_file(&blob).unwrap();
        match hard {
            true => fs::hard_link(&victim, &part).unwrap(),
            false => std::os::unix::fs::symlink(&victim, &part).unwrap(),
        }
        hub.info(TOWER);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert!(fs::symlink_metadata(&blob).unwrap().is_file());
        assert!(same(&weights, &hub.repository(TOWER).join(WEIGHTS)));
    }
    // The lock.
    let digest = blob.file_name().unwrap().to_str().unwrap();
    let lock = hub.home.join("hub/.locks/models--acme--tower").join(format!("{digest}.lock"));
    fs::remove_file(&blob).unwrap();
    fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink(&victim, &lock).unwrap();
    let mut bare = hub.command();
    bare.args(["info", "--model", TOWER]);
    let error = fails(bare.output().unwrap());
    assert!(error.contains("a link, which is not followed here"), "{error}");
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

//! What a conversion leaves in folders, however it ends.

use super::*;

#[test]
fn folders_are_kept_or_replaced() {
    let folder = scratch("convert-folders");
    let (out, source) = (folder.join("out"), torch("mmseg.pth"));
    let args = |more: &[&'static str]| {
        let mut args = vec!["convert".to_string(), text(&source).into(), "--out".into()];
        args.push(text(&out).into());
        args.extend(more.iter().map(|arg| arg.to_string()));
        args
    };
    let run =
        |more: &[&'static str]| ok(&args(more).iter().map(String::as_str).collect::<Vec<_>>());
    let refused = |more: &[&'static str], expected: &str| {
        fails(&args(more).iter().map(String::as_str).collect::<Vec<_>>(), expected);
    };
    std::fs::create_dir(&out).unwrap();
    let said: Value = serde_json::from_str(&run(&["--json"])).unwrap();
    assert_eq!(said["left_out"], json!({ "auxiliary_head": 1, "decode_head": 7 }));
    assert_eq!(
        (said["tensors"].as_u64(), said["files"][0]["name"].as_str()),
        (Some(32), Some("config.json"))
    );
    let before = files(&out);

    refused(&[], "not empty; a model in it is replaced only where overwriting is asked for");
    assert_eq!(files(&out), before);
    run(&["--overwrite", "--shard-size", "4kB"]);
    assert!(files(&out).len() > before.len() && !out.join("model.safetensors").exists());
    run(&["--overwrite"]);
    assert_eq!(files(&out), before);

    std::fs::write(out.join("notes.txt"), "mine").unwrap();
    refused(&["--overwrite"], "notes.txt: no file of a model, so it is not replaced");
    assert_eq!(files(&out).len(), before.len() + 1);
    std::fs::remove_file(out.join("notes.txt")).unwrap();
    fails(
        &["convert", text(&out), "--out", text(&out), "--overwrite"],
        "the source is in this folder",
    );
    fails(
        &["convert", text(&out), "--out", text(&folder), "--overwrite"],
        "the source is in this folder",
    );
    for size in ["0", "x", "5TB", "-1MB", "99999999999GB"] {
        let size = format!("--shard-size={size}");
        fails(&["convert", text(&source), "--out", "x", &size], "expected a size such as 512MB");
    }
    fails(&["convert", text(&torch("module.pth")), "--out", "x"], "Linear is not allowed");
    assert_eq!(files(&folder).len(), 1);
}

/// Ended at any moment, a conversion leaves no folder or a whole one, and the next one ends as if
/// nothing had been.
#[test]
#[cfg(unix)]
fn ended_in_the_middle() {
    use std::process::Stdio;
    let folder = scratch("convert-killed");
    let (source, out) = (folder.join("source"), folder.join("out"));
    init_checkpoint("c", &config(128, 2, 512, 6, ""), 1, StoredType::F32, &source, &|_, _| ())
        .unwrap();
    let undisturbed = folder.join("undisturbed");
    let start = std::time::Instant::now();
    let command = |out: &Path| {
        let mut command = crate::run::program();
        command.args(["convert", text(&source), "--shard-size", "300kB", "--overwrite", "--out"]);
        command.arg(out).stderr(Stdio::null());
        command
    };
    assert!(command(&undisturbed).status().unwrap().success());
    let (whole, expected) = (start.elapsed(), files(&undisturbed));
    let mut cut = 0;
    for round in 0..24u32 {
        if round == 12 {
            // From here on a folder is there that is to be replaced.
            std::fs::remove_dir_all(&out).unwrap_or_default();
            std::fs::create_dir(&out).unwrap();
            std::fs::write(out.join("config.json"), "{}").unwrap();
        }
        let before = out.exists().then(|| files(&out));
        let mut child = command(&out).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(f64::from(round % 12 + 1) / 12.0));
        child.kill().unwrap();
        cut += u32::from(!child.wait().unwrap().success());
        let after = out.exists().then(|| files(&out));
        let aside = |name: &String| name.starts_with(".out.") && name.ends_with(".old");
        let put_aside = after.is_none() && names(&folder).iter().any(aside);
        assert!(
            after == before || after.as_ref() == Some(&expected) || put_aside,
            "round {round}: something half-written"
        );
        if round % 4 == 3 {
            assert!(command(&out).status().unwrap().success());
            assert_eq!(files(&out), expected, "round {round}");
            assert_eq!(files(&folder).len(), 3, "round {round}: nothing else is left");
            std::fs::remove_dir_all(&out).unwrap();
        }
    }
    assert!(cut > 4, "only {cut} conversions were ended");
}

/// The states in which a process can be ended between two renamings, made by hand.
#[test]
fn exchanges_cut_in_the_middle() {
    let folder = scratch("convert-exchange");
    let [out, old, part] =
        ["out", ".out.aB3dE6gH9jK2.old", ".out.aB3dE6gH9jK2.part"].map(|name| folder.join(name));
    let overwrite = Conversion { overwrite: true, ..WHOLE };
    let source = torch("half.pth");
    converted(&source, &out, &WHOLE);
    let expected = files(&out);

    // The old folder was put aside, the new one not yet in its place.
    std::fs::rename(&out, &old).unwrap();
    std::fs::create_dir(&part).unwrap();
    std::fs::write(part.join("config.json"), "{").unwrap();
    let error = wait(convert(&open(&source), &out, &WHOLE, &mut |_, _| ())).unwrap_err();
    assert!(error.to_string().contains("not empty"), "{error}");
    assert_eq!(files(&out), expected, "what was there is put back");
    // The new folder is in its place, the old one not yet gone.
    std::fs::create_dir(&old).unwrap();
    std::fs::write(old.join("model-00001-of-00002.safetensors"), "old").unwrap();
    converted(&source, &out, &overwrite);
    assert_eq!((files(&out), files(&folder).len()), (expected.clone(), 1));
    // Folders of these names that are somebody's own are left alone.
    std::fs::create_dir(&part).unwrap();
    std::fs::write(part.join("letter.txt"), "mine").unwrap();
    converted(&source, &out, &overwrite);
    assert_eq!((files(&part).len(), files(&out)), (1, expected));
    std::fs::remove_dir_all(&part).unwrap();
    // Another process is at it.
    let lock = std::fs::File::create(folder.join(".out.lock")).unwrap();
    lock.lock().unwrap();
    let error = wait(convert(&open(&source), &out, &overwrite, &mut |_, _| ())).unwrap_err();
    assert!(error.to_string().contains("another run is writing it"), "{error}");
    drop(lock);
    assert!(folder.join(".out.lock").exists(), "a file of somebody's own");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Many at once into one folder: each writes it or says that another does, and there is always a
/// whole model. INTERNVIT_ROUNDS is how often.
#[test]
fn many_at_once() {
    use std::process::Stdio;
    let rounds = std::env::var("INTERNVIT_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let folder = scratch("convert-many");
    let (source, out) = (torch("half.pth"), folder.join("out"));
    converted(&source, &out, &WHOLE);
    let expected = files(&out);
    let (mut wrote, mut refused) = (0, 0);
    for round in 0..rounds {
        let children: Vec<_> = (0..16)
            .map(|_| {
                let mut command = crate::run::program();
                command.args(["convert", text(&source), "--overwrite", "--out", text(&out)]);
                command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
            })
            .collect();
        for mut child in children {
            // At every moment, where the system exchanges folders in one step.
            while cfg!(target_os = "linux") && child.try_wait().unwrap().is_none() {
                assert!(out.is_dir(), "round {round}: the folder vanished");
            }
            let output = child.wait_with_output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            let ours = error.lines().find(|line| line.starts_with("internvit: "));
            match output.status.success() {
                true => wrote += 1,
                false => refused += 1,
            }
            assert!(
                ours.is_none_or(|line| line.ends_with("out: another run is writing it"))
                    && output.status.success() == ours.is_none(),
                "round {round}: {error}"
            );
        }
        assert_eq!(files(&out), expected, "round {round}");
        assert_eq!(names(&folder), ["out"], "round {round}");
    }
    println!("{rounds} rounds: {wrote} wrote, {refused} were refused");
}

/// Ctrl-C leaves nothing, and what was there before.
#[test]
#[cfg(unix)]
fn interrupted() {
    use std::process::Stdio;
    let folder = scratch("convert-interrupted");
    let (source, out) = (folder.join("source"), folder.join("out"));
    init_checkpoint("c", &config(128, 2, 512, 6, ""), 1, StoredType::F32, &source, &|_, _| ())
        .unwrap();
    let mut stopped = 0;
    // At first right when a name appears, then later and later.
    for round in 0..16_u64 {
        let mut command = crate::run::program();
        command.args(["convert", text(&source), "--shard-size", "300kB", "--out", text(&out)]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let some = if round % 2 == 0 { 2 } else { 3 };
        while names(&folder).len() < some && child.try_wait().unwrap().is_none() {}
        std::thread::sleep(std::time::Duration::from_millis(3 * round.saturating_sub(8)));
        let pid = child.id().to_string();
        std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
        let output = child.wait_with_output().unwrap();
        stopped += u32::from(!output.status.success());
        assert!(output.status.success() || output.stderr.is_empty(), "{output:?}");
        let left = names(&folder);
        assert_eq!(left.len(), 1 + usize::from(out.exists()), "round {round}: {left:?}");
        let _ = std::fs::remove_dir_all(&out);
    }
    assert!(stopped > 0, "none was stopped");
}

/// Links under the names that a conversion uses: what they lead to stays.
#[test]
#[cfg(unix)]
fn links_are_not_followed() {
    use std::os::unix::fs::symlink;
    let folder = scratch("convert-links");
    let (source, out) = (torch("half.pth"), folder.join("out"));
    let victims = folder.join("victims");
    std::fs::create_dir(&victims).unwrap();
    let victim = victims.join("config.json");
    std::fs::write(&victim, "precious").unwrap();
    let run = || wait(convert(&open(&source), &out, &WHOLE, &mut |_, _| ()));
    symlink(&victim, folder.join(".out.lock")).unwrap();
    let error = run().err().unwrap().to_string();
    assert!(error.contains(".out.lock: a link, which is not followed here"), "{error}");
    std::fs::remove_file(folder.join(".out.lock")).unwrap();
    // A folder of somebody else's, linked or put there under the name of a leftover.
    for ending in ["part", "old"] {
        symlink(&victims, folder.join(format!(".out.aB3dE6gH9jK2.{ending}"))).unwrap();
        symlink(&victims, folder.join(format!(".out.{ending}"))).unwrap();
    }
    run().unwrap();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    // A lock's file that is somebody's own, as another name of the victim.
    std::fs::hard_link(&victim, folder.join(".out.lock")).unwrap();
    std::fs::remove_dir_all(&out).unwrap();
    run().unwrap();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    assert!(folder.join(".out.lock").exists());
}

/// A disk that is full in the middle, played by a limit on the size of files.
#[test]
#[cfg(unix)]
fn nothing_half_written_stays_on_a_full_disk() {
    let folder = scratch("convert-full");
    let script = "trap '' XFSZ; ulimit -f 4; exec \"$0\" convert \"$1\" --out \"$2\"";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_internvit"), text(&torch("plain.pth"))]);
    let output = command.arg(folder.join("out")).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("model.safetensors: ") && error.contains("os error"), "{error}");
    assert_eq!(files(&folder).len(), 0);
}

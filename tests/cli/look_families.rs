//! Every view of every family: a picture, or one sentence that says why not.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common::*;
use crate::inputs::cases;
use crate::run::*;

/// Why attention is not shown, and of which models.
const WINDOWS: &str = "a patch attends within windows";

#[test]
fn families_and_views() {
    let (photo, folder) = (sample("chelsea.png"), scratch("look_families"));
    let out = folder.join("view.png");
    let mut refused = Vec::new();
    let family = |case: &String| case.split('_').next().unwrap().to_string();
    let mut cases = cases();
    cases.dedup_by_key(|case| family(case));
    for case in cases {
        let model = golden(&case);
        for view in ["pca", "similarity", "clusters", "norms", "attention", "rollout"] {
            let args = ["look", text(&photo), "--model", text(&model), "--device", "cpu"];
            let more = ["--view", view, "--at", "200,150", "--out", text(&out)];
            let at = if ["pca", "clusters", "norms"].contains(&view) { 2..4 } else { 0..0 };
            let mut more = more.to_vec();
            more.drain(at);
            let _ = std::fs::remove_file(&out);
            let found = internvit(&[&args[..], &more].concat());
            let said = String::from_utf8_lossy(&found.stderr).into_owned();
            assert!(!said.contains("panicked"), "{case} {view}: {said}");
            if found.status.success() {
                assert!(out.metadata().unwrap().len() > 100, "{case} {view}: no picture");
                continue;
            }
            assert!(said.contains(WINDOWS), "{case} {view}: {said}");
            refused.push(format!("{} {view}", family(&case)));
        }
    }
    refused.sort();
    refused.dedup();
    assert_eq!(refused, ["swin attention", "swin rollout"]);
}

//! Damaged tables.

use super::*;

/// Of 600 damaged tables each is read, or one error names it; the reader never ends the run, and
/// copying one leaves it as it was.
#[test]
fn damaged_tables_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let [good, bad, out] = ["good", "bad", "out"].map(|name| folder.path().join(name));
    let settings = Settings {
        model_digest: "0".into(),
        dtype: "f32".into(),
        image_size: 14,
        resize: "squash".into(),
        tiles: 1,
        patch_tokens: false,
        background: None,
        image_embeds: true,
        logits: false,
        hidden_states: Vec::new(),
    };
    let (version, model) = ("0".into(), "m".into());
    let (failed, widths) = (0, Widths::new());
    let about = About { version, model, settings, additions: 1, failed, widths, overflowed: false };
    let summary = |n: u32| {
        let mut summary = Summary::default();
        (summary.cls, summary.mean) = (vec![0.5; 4], vec![0.25; 4]);
        summary.embeds = vec![n as f32; 3];
        summary
    };
    let row = |n: u32| Row {
        path: format!("{n}.png"),
        size: [n, n],
        tile: [0, 1, 1],
        grid: [1, 1],
        summary: summary(n),
        hidden: Vec::new(),
        tokens: Vec::new(),
    };
    let rows: Vec<Row> = (1..5).map(row).collect();
    let failures = [Failure { path: "x.png".into(), reason: "why".into() }];
    write(&good, &about, &[], &rows, &failures).unwrap();
    assert_eq!(read(&good).unwrap().paths.len(), 4);
    let found = embeddings(&good).unwrap().1;
    assert_eq!((found.len(), &found[3]), (4, &("4.png".to_string(), vec![4.0; 3])));
    let whole = std::fs::read(&good).unwrap();
    let mut state = 7u64;
    let mut random = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut refused = 0;
    for trial in 0..600 {
        let mut bytes = whole.clone();
        // The footer is where most of what is read lies.
        for _ in 0..1 + trial % 4 {
            let from = if trial % 3 == 0 { 0 } else { whole.len() / 2 };
            bytes[from + random(whole.len() - from)] = random(256) as u8;
        }
        if trial % 10 == 9 {
            bytes.truncate(random(whole.len()));
        }
        std::fs::write(&bad, &bytes).unwrap();
        let known = read(&bad);
        let copied =
            known.is_err() || write(&out, &about, std::slice::from_ref(&bad), &[], &[]).is_ok();
        if let Err(error) = known {
            let text = error.to_string();
            assert!(text.contains("bad: ") && !text.contains('\n'), "{text}");
            refused += 1;
        }
        refused += usize::from(!copied);
        assert_eq!(std::fs::read(&bad).unwrap(), bytes);
    }
    assert!(refused > 100, "{refused}");
    assert!(guarded::<()>(Path::new("t"), || panic!("as a reader does")).is_err());
}

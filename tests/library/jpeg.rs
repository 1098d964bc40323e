//! JPEGs as libjpeg-turbo decodes them, and orientation wherever a file may say it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use internvit::image::decode;
use sha2::{Digest, Sha256};

fn folder() -> PathBuf {
    crate::common::root().join("tests/images/jpeg")
}

/// tests/images/jpeg/make.py says what Pillow makes of each file: the same bits, of every sampling,
/// progressive or not, grey, in inks, with any orientation.
#[test]
fn every_kind_is_what_pillow_makes() {
    let list = std::fs::read(folder().join("expected.json")).unwrap();
    let list: BTreeMap<String, (u32, u32, String)> = serde_json::from_slice(&list).unwrap();
    assert!(list.len() > 25);
    for (name, (width, height, digest)) in list {
        let picture = decode(&name, &std::fs::read(folder().join(&name)).unwrap()).unwrap();
        assert_eq!((picture.width, picture.height), (width, height), "{name}");
        let found: String =
            Sha256::digest(&picture.rgb).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, digest, "{name}");
    }
}

/// A picture whose data end before it does is refused, also where an end marker follows.
#[test]
fn half_a_picture_is_refused() {
    for name in [
        "420.jpg",
        "444-progressive.jpg",
        "grey.jpg",
        "cmyk.jpg",
        "cmyk-420.jpg",
        "restarts.jpg",
        "arithmetic.jpg",
    ] {
        let whole = std::fs::read(folder().join(name)).unwrap();
        for percent in [50, 60, 75, 90] {
            let mut cut = whole[..whole.len() * percent / 100].to_vec();
            let open =
                decode(name, &cut).map(|_| format!("{name} {percent}")).unwrap_err().to_string();
            assert!(open.contains("cut off"), "{percent} %: {open}");
            // Arithmetic codes do not tell where they end.
            if name == "arithmetic.jpg" {
                continue;
            }
            cut.extend([0xFF, 0xD9]);
            let closed = decode(name, &cut)
                .map(|_| format!("{name} {percent} closed"))
                .unwrap_err()
                .to_string();
            assert!(closed.contains("cut off"), "{percent} %, closed: {closed}");
        }
    }
}

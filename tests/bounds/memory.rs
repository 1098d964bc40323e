//! Loading holds one tensor at a time on the host.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common::*;
use internvit::weights::{StoredType, init_checkpoint};
use internvit::{Checkpoint, Encoder};

/// Bytes of memory that this process has had at most, and has now.
fn resident() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|l| l.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
    };
    (field("VmHWM:"), field("VmRSS:"))
}

/// Peak memory stays under the device's own (which a software adapter takes from the host), the
/// largest tensor as f32, and 200 MB.
#[test]
fn loading_needs_the_largest_tensor_and_200_mb() {
    let _alone = crate::alone();
    let Some(gpu) = gpu() else { return };
    let folder = scratch("memory");
    // 168 M parameters, 335 MB as f16, 671 MB on the device; the largest tensor 67 MB.
    let config = config(2048, 32, 8192, 4, "").replace("\"layer_norm\"", "\"rms_norm\"");
    init_checkpoint("c", &config, 1, StoredType::F16, &folder, &|_, _| ()).unwrap();
    // Making the file does not count.
    crate::forget_peak();
    let (_, before) = resident();
    let checkpoint = wait(Checkpoint::open_path(&folder)).unwrap();
    let largest = checkpoint.manifest.tensors.values().map(|t| 4 * t.len() as u64).max().unwrap();
    let encoder = wait(Encoder::load(checkpoint, gpu, &mut on_bytes)).unwrap();
    let (peak, _) = resident();
    let device = encoder.weight_bytes();
    let host = peak.saturating_sub(before + device);
    println!("host {} MB, device {} MB, largest {} MB", host >> 20, device >> 20, largest >> 20);
    assert!(device > 600 << 20);
    assert!(host < largest + (200 << 20), "{} MB beyond the device's", host >> 20);
    std::fs::remove_dir_all(folder).unwrap();
}

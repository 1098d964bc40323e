//! What the tests share: fixtures, random checkpoints, the GPU, comparison.
#![allow(dead_code, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "tests")]

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use internvit::gpu::{Choice, Gpu, Precision};
use internvit::weights::{
    Source, StoredType, Values, init_checkpoint, read_header, write_safetensors,
};
use internvit::{Checkpoint, Tensor};

pub fn wait<F: Future>(future: F) -> F::Output {
    pollster::block_on(future)
}

/// The GPU (lavapipe counts), or `None` where there is none and none is required. With
/// `DEFAULT_LIMITS` set every test has WebGPU's default limits and no optional feature.
pub fn gpu() -> Option<Gpu> {
    gpu_as(Precision::F32)
}

/// The same, for f16 between kernels.
pub fn half_gpu() -> Option<Gpu> {
    gpu_as(Precision::F16)
}

/// The same, for a precision.
pub fn gpu_as(precision: Precision) -> Option<Gpu> {
    present(match std::env::var_os("DEFAULT_LIMITS") {
        Some(_) => wait(Gpu::open_default_limits(&Choice::Auto, precision)),
        None => wait(Gpu::open_as(&Choice::Auto, precision)),
    })
}

/// The same with WebGPU's default limits.
pub fn small_gpu() -> Option<Gpu> {
    present(wait(Gpu::open_default_limits(&Choice::Auto, Precision::F32)))
}

fn present(gpu: internvit::Result<Gpu>) -> Option<Gpu> {
    match gpu {
        Ok(gpu) => Some(gpu),
        Err(e) if std::env::var_os("REQUIRE_GPU").is_some() => panic!("REQUIRE_GPU is set: {e}"),
        Err(e) => {
            eprintln!("SKIPPED, no GPU: {e}");
            None
        }
    }
}

/// The project's folder, above the package that is tested.
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().find(|folder| folder.join("shaders").is_dir()).unwrap()
}

pub fn golden(name: &str) -> PathBuf {
    root().join("tests/golden").join(name)
}

pub fn sample(name: &str) -> PathBuf {
    root().join("www/samples").join(name)
}

/// Where a folder or file of this test's own is.
pub fn scratch_path(name: &str) -> PathBuf {
    let thread = std::thread::current();
    // Tests run in threads that have their names.
    let test = thread.name().unwrap_or("test").replace("::", "-");
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(test).join(name)
}

/// An empty folder of this test's own.
pub fn scratch(name: &str) -> PathBuf {
    let folder = scratch_path(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Every f32, f16 or bf16 tensor of a safetensors file.
pub fn tensors(path: &Path) -> HashMap<String, Tensor> {
    let source = Source::file(path).unwrap();
    let list = wait(read_header(&source)).unwrap();
    list.into_iter()
        .filter_map(|s| {
            let bytes = wait(source.read(s.range)).unwrap();
            Some((s.key, Tensor { shape: s.shape, values: s.dtype?.decode(&bytes) }))
        })
        .collect()
}

/// Changes tensors of a safetensors file; all become f32.
pub fn rewrite(file: &Path, change: &dyn Fn(&str, &mut Vec<f32>)) {
    let mut list: Vec<(String, Tensor)> = tensors(file).into_iter().collect();
    list.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, tensor) in &mut list {
        change(name, &mut tensor.values);
    }
    let list: Vec<_> = list
        .iter()
        .map(|(name, tensor)| (name.clone(), tensor.shape.clone(), Values::F32(&tensor.values)))
        .collect();
    write_safetensors(file, &list).unwrap();
}

/// A small configuration in OpenGVLab's dialect.
pub fn config(hidden: usize, heads: usize, mlp: usize, layers: usize, extra: &str) -> String {
    let defaults = [
        ("model_type", r#""intern_vit_6b""#),
        ("norm_type", r#""layer_norm""#),
        ("qkv_bias", "true"),
        ("qk_normalization", "false"),
        ("image_size", "56"),
        ("patch_size", "14"),
    ];
    // What `extra` says takes the place of a default: no key may be there twice.
    let kept = defaults.iter().filter(|(key, _)| !extra.contains(&format!("\"{key}\"")));
    let kept: String = kept.map(|(key, value)| format!(", \"{key}\": {value}")).collect();
    format!(
        r#"{{"hidden_size": {hidden}, "num_attention_heads": {heads},
        "intermediate_size": {mlp}, "num_hidden_layers": {layers}{kept} {extra}}}"#
    )
}

/// A random checkpoint of `config` in f32.
pub fn random_checkpoint(name: &str, config: &str) -> Checkpoint {
    let folder = scratch(name);
    init_checkpoint("config.json", config, 1, StoredType::F32, &folder, &|_, _| ()).unwrap();
    wait(Checkpoint::open_path(&folder)).unwrap()
}

/// Numbers between -1 and 1, the same for the same seed.
pub fn noise(seed: u32, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32 * 2.0 - 1.0
        })
        .collect()
}

/// Fails where the relative L2 difference is larger than `tolerance`, and says where it is worst.
pub fn assert_close(what: &str, found: &[f32], expected: &[f32], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: lengths");
    if let Some(at) = found.iter().position(|v| v.is_nan()) {
        panic!("{what}: NaN at {at} of {}", found.len());
    }
    let distance = internvit::features::relative_l2(found, expected);
    if distance > tolerance {
        let worst = (0..found.len())
            .max_by(|a, b| {
                (found[*a] - expected[*a]).abs().total_cmp(&(found[*b] - expected[*b]).abs())
            })
            .unwrap();
        panic!(
            "{what}: relative L2 {distance:.2e} exceeds {tolerance:.0e}; worst at {worst}: found \
             {}, expected {}",
            found[worst], expected[worst]
        );
    }
}

/// Progress that nobody watches.
pub async fn on(_: usize, _: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}
pub async fn on_bytes(_: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// An error of one line that has `expected` in it.
#[track_caller]
pub fn refused<T>(what: &str, result: internvit::Result<T>, expected: &str) {
    let Err(error) = result else { panic!("{what}: accepted; expected: {expected}") };
    let error = error.to_string();
    assert!(error.contains(expected), "{what}: expected {expected:?} in {error:?}");
    assert!(!error.chars().any(char::is_control), "{what}: one line: {error:?}");
    assert!(error.len() < 10_000, "{what}: an error of {} bytes", error.len());
}

/// Pixels as a plan takes them: a model of windows has zeros at the right and bottom up to whole patches.
pub fn fed_pixels(given: &Tensor, spec: &internvit::model::Spec) -> Tensor {
    let [batch, channels, height, width] = given.shape.as_slice().try_into().unwrap();
    let [rows, cols] = [height, width].map(|side: usize| match spec.windows {
        Some(_) => side.next_multiple_of(spec.sizes.patch),
        None => side,
    });
    let mut values = vec![0.0; batch * channels * rows * cols];
    for (line, pixels) in given.values.chunks_exact(width).enumerate() {
        let (plane, y) = (line / height, line % height);
        values[(plane * rows + y) * cols..][..width].copy_from_slice(pixels);
    }
    Tensor { shape: vec![batch, channels, rows, cols], values }
}

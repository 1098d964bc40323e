//! What a model that speaks takes of a device's memory, in 4 bits or those that are named: `cargo bench --bench decode --
//! memory DIR [int8]`.

use std::ops::ControlFlow;
use std::path::Path;

use internvit::gpu::{Choice, Gpu};
use internvit::language::{Answering, Said, Talk};
use internvit::{Checkpoint, Encoder, Images, Precision};

/// Tokens of a prompt beside those of its picture.
const WORDS: usize = 24;

pub(super) async fn main(folder: &str, precision: Precision) {
    let gpu = Gpu::open_as(&Choice::Auto, precision).await.unwrap();
    let checkpoint = Checkpoint::open_path(Path::new(folder)).await.unwrap();
    let checkpoint = checkpoint.with_language().await.unwrap();
    let stored = checkpoint.bytes();
    let go_on = &mut async |_, _| ControlFlow::Continue(());
    let mut encoder = Encoder::load(checkpoint, gpu, go_on).await.unwrap();
    println!("stored: {} MB", stored / 1_000_000);
    tell("weights", &encoder);
    let side = encoder.spec().sizes.image;
    let values: Vec<f32> = (0..3 * side * side).map(|at| (at as f32).sin()).collect();
    let images = Images::PixelValues { shape: [1, 3, side, side], values: &values };
    let on = &mut async |_, _| ControlFlow::Continue(());
    let visual = encoder.visual_tokens(images, on).await.unwrap();
    tell("a tile was seen", &encoder);
    let picture = 7;
    let mut ids = vec![picture; visual.shape[1]];
    ids.resize(visual.shape[1] + WORDS, 1);
    let how = Answering { most: 4, picture: Some(picture), ..Answering::default() };
    let mut talk = Talk::default();
    talk.say(&encoder, &ids, Some(&visual)).unwrap();
    let quiet = &mut |_: Said<'_>| ControlFlow::Continue(());
    let said = talk.answer(&mut encoder, &how, on, quiet).await.unwrap();
    tell(&format!("{} tokens were answered to {}", said.len(), ids.len()), &encoder);
}

/// What is held by the project's own count, and the most that the process held of the machine's memory, where it is told.
fn tell(when: &str, encoder: &Encoder) {
    let held = encoder.gpu().map_or(0, |gpu| gpu.held());
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("?").trim();
    println!("{when}: {} MB on the device, process at most {peak}", held / 1_000_000);
}

//! How alike two photographs are to the bundled model: the cosine of their class tokens.
//!
//! `cargo run --release --example features -- www/samples/chelsea.png www/samples/coffee.png`

use std::ops::ControlFlow::Continue;

use internvit::image::{Resize, decode};
use internvit::{Checkpoint, Device, Encoder, Error, Images, Result};

fn main() -> Result<()> {
    pollster::block_on(run())
}

async fn run() -> Result<()> {
    let checkpoint = Checkpoint::bundled().await?;
    let sizes = checkpoint.spec.sizes;
    let mut encoder =
        Encoder::load(checkpoint, &Device::Auto, &mut async |_, _| Continue(())).await?;

    let mut pictures = Vec::new();
    for path in std::env::args().skip(1) {
        let bytes = std::fs::read(&path).map_err(|e| Error::io(&path, e))?;
        let photo = decode(&path, &bytes)?;
        pictures.push(Resize::Squash.fit(&photo, sizes.image as u32, sizes.patch as u32)?);
    }
    let features =
        encoder.encode(Images::Pictures(&pictures), &[], &mut async |_, _| Continue(())).await?;

    let pooled = &features.tensors["pooler_output"]; // [pictures, C]
    let rows: Vec<&[f32]> = pooled.values.chunks_exact(sizes.hidden).collect();
    for a in &rows {
        let row: Vec<String> = rows.iter().map(|b| format!("{:6.3}", cosine(a, b))).collect();
        println!("{}", row.join(" "));
    }
    Ok(())
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

//! What each block adds: the length of the mean token after every block.
//!
//! `cargo run --release --example hidden_states -- www/samples/chelsea.png`

use std::ops::ControlFlow::Continue;

use internvit::image::{Resize, decode};
use internvit::{Checkpoint, Device, Encoder, Error, Images, Result};

fn main() -> Result<()> {
    pollster::block_on(run())
}

async fn run() -> Result<()> {
    let path = std::env::args().nth(1).ok_or_else(|| Error::input("expected a photograph"))?;
    let bytes = std::fs::read(&path).map_err(|e| Error::io(&path, e))?;
    let photo = decode(&path, &bytes)?;

    let checkpoint = Checkpoint::bundled().await?;
    let mut encoder =
        Encoder::load(checkpoint, &Device::Auto, &mut async |_, _| Continue(())).await?;
    // The aspect ratio is kept: position embeddings are interpolated to any grid.
    let sizes = encoder.spec().sizes;
    let picture = Resize::Native.fit(&photo, sizes.image as u32, sizes.patch as u32)?;
    let layers: Vec<usize> = (0..=sizes.layers).collect();
    let features = encoder
        .encode(Images::Pictures(&[picture]), &layers, &mut async |_, _| Continue(()))
        .await?;
    println!("grid {:?}", features.grid);
    for layer in layers {
        let patches = features.tokens(&format!("hidden_states.{layer}"), features.prefix..)?;
        let [_, tokens, c] = patches.shape[..] else { continue };
        let mean = (0..c).map(|i| {
            let channel = patches.values.iter().skip(i).step_by(c);
            channel.sum::<f32>() / tokens as f32
        });
        println!("{layer:3} {:.3}", mean.map(|v| v * v).sum::<f32>().sqrt());
    }
    Ok(())
}

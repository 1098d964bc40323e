//! A device that the program opened itself, and features that stay on it for its own shaders.
//!
//! `cargo run --release --example device`

use internvit::{Error, Model, Picture, Result, wgpu};

fn main() -> Result<()> {
    let (device, queue) = pollster::block_on(open())?;
    let model = Model::options().gpu((device, queue)).open("bundled")?;
    let photo = Picture::open("www/samples/chelsea.png")?;
    let kept = model.features().layers([6]).keep(&photo)?;
    let buffer: &wgpu::Buffer = kept.buffer("hidden_states.6")?; // f32 [1, tokens, C]
    println!("{} bytes on {}", buffer.size(), model.device());
    Ok(())
}

async fn open() -> Result<(wgpu::Device, wgpu::Queue)> {
    let instance = wgpu::Instance::default();
    let adapter = instance.request_adapter(&Default::default()).await.map_err(Error::device)?;
    adapter.request_device(&Default::default()).await.map_err(Error::device)
}

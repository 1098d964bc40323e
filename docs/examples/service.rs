//! Many at once, as a service has them: photographs in memory, awaited by any executor. Those that come
//! while the device is at work are encoded together.
//!
//! `cargo run --release --example service`

use std::thread;

use internvit::{Model, Result};

fn main() -> Result<()> {
    let model = Model::options().device("cpu").open("bundled")?;
    let bytes = std::fs::read("www/samples/chelsea.png")?;
    let asked: Vec<_> =
        (0..8).map(|n| model.spawn_features(n.to_string(), bytes.clone())).collect();
    for features in asked {
        println!("{:?}", pollster::block_on(features)?.grid());
    }
    // Clones share the weights, and are of any thread.
    let other = model.clone();
    let named = thread::spawn(move || other.name().to_string());
    println!("{}", named.join().unwrap_or_default());
    Ok(())
}

//! A view of a photograph as a picture, and its data.
//!
//! `cargo run --release --example look -- www/samples/chelsea.png pca pca.png`

use internvit::{Model, Picture, Result};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let photo = Picture::open(args.next().unwrap_or("www/samples/chelsea.png".into()))?;
    let name = args.next().unwrap_or("pca".into());
    let model = Model::open("bundled")?;
    let view = model.look(&photo).size(448).view(name.as_str())?;
    println!("{name} {:?}", view.map.shape);
    view.save(args.next().unwrap_or("target/view.png".into()))
}

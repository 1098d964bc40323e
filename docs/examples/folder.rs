//! Features of the photographs in a folder, and which of them are most alike.
//!
//! `cargo run --release --example folder -- www/samples`

use internvit::{Model, Result};

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).unwrap_or("www/samples".into());
    let model = Model::open("bundled")?; // or a folder, a file, owner/name on the hub
    let photos = model.features().layers([6, 12]).progress(show).folder(folder)?;
    for photo in &photos {
        println!("{} {:?}", photo.name(), photo.hidden(6)?.shape()); // [rows, columns, C]
        for (other, cosine) in photos.nearest(photo.pooled(), 3)? {
            println!("  {cosine:.3} {}", photos[other].name());
        }
    }
    Ok(())
}

fn show(done: usize, of: usize) {
    eprint!("\r{done}/{of}");
}

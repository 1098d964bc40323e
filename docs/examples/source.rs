//! Weights from a source of the program's own: here a file that is read by ranges.
//!
//! `cargo run --release --example source -- www/models/internvit-tiny`

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use internvit::{Model, Result, Source};

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).unwrap_or("www/models/internvit-tiny".into());
    let path = format!("{folder}/model.safetensors");
    let size = std::fs::metadata(&path)?.len();
    let weights = Source::ranges("model.safetensors", size, move |range| {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let mut file = File::open(&path)?;
        file.seek(SeekFrom::Start(range.start))?;
        file.read_exact(&mut bytes).map(|()| bytes)
    });
    let config = std::fs::read_to_string(format!("{folder}/config.json"))?;
    let model = Model::options().streamed(true).open(("mine", config, vec![weights]))?;
    println!("{} {:?}", model.name(), model.spec().sizes);
    Ok(())
}

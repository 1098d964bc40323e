//! Which of some texts describes a photograph, by a model with a tower for texts (CLIP, SigLIP). Texts are
//! numbers of tokens here, a text an argument: `tokenizers` makes them of the model's `tokenizer.json`.
//!
//! `cargo run --release --example classify -- FOLDER cat.jpg 49406,320,2368,49407 49406,320,1929,49407`

use internvit::{Error, Model, Picture, Result, Words};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, photo, texts @ ..] = args.as_slice() else {
        return Err(Error::input("expected FOLDER PHOTO TOKENS…"));
    };
    let model = Model::options().texts(true).open(folder.as_str())?;
    let words = |text: &String| {
        let ids = text.split(',').map(str::parse).collect::<std::result::Result<_, _>>();
        let ids = ids.map_err(|e| Error::input(format!("{text}: {e}")))?;
        Ok(Words { ids, attended: None })
    };
    let texts = model.text(&texts.iter().map(words).collect::<Result<Vec<_>>>()?)?;
    let photo = Picture::open(photo)?;
    for guess in model.classify_with(&texts, &photo)? {
        println!("{} {:.3}", guess.name, guess.probability);
    }
    Ok(())
}

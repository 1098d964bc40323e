//! A segmentation that is taught by three points on one photograph and applied to another.
//!
//! `cargo run --release --example teach`

use internvit::{Model, Picture, Result};

fn main() -> Result<()> {
    let (cat, cup) =
        (Picture::open("www/samples/chelsea.png")?, Picture::open("www/samples/coffee.png")?);
    let model = Model::open("bundled")?;
    let points = model.teach(&cat).point("cat", [220, 160]).point("cat", [90, 200]);
    let head = points.point("wall", [430, 20]).layer(9).layer(-1).fit()?;
    for photo in [&cat, &cup] {
        println!("{:.1?}", model.segment_with(&head, photo)?.shares());
    }
    model.segment_with(&head, &cat)?.save_overlay("target/taught.png", 0.5)
}

//! What was found as one page: small pictures within the file, no scripts.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use internvit::Result;
use internvit::image::resize;

use super::super::background::Background;
use super::super::input;
use super::Found;

/// The longer side of a small picture, pixels.
const SIDE: u32 = 240;

const STYLE: &str = "body{font:15px/1.4 system-ui,sans-serif;margin:2rem;background:#fff;color:#1b1b1f}\
h1{font-size:1.3rem;font-weight:600;margin:0 0 1.5rem}\
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(190px,1fr));gap:1.25rem}\
figure{margin:0}img,.none{width:100%;height:190px;object-fit:contain;background:#f3f3f5;border-radius:6px}\
.none{display:grid;place-items:center;color:#767680}\
figcaption{margin-top:.4rem;overflow-wrap:anywhere;font-size:.85rem}\
b{font-weight:600;margin-right:.5rem;font-variant-numeric:tabular-nums}\
@media(prefers-color-scheme:dark){body{background:#18181b;color:#ececf0}img,.none{background:#26262b}}";

/// The page. A photograph that is gone leaves its place and name.
pub(super) fn page(query: &str, found: &[Found], background: &Background) -> String {
    let figures = found.iter().map(|Found { path, score }| {
        let name = escaped(path);
        let picture = match small(Path::new(path), background) {
            Ok(data) => format!("<img alt=\"\" src=\"data:image/png;base64,{data}\">"),
            Err(_) => "<div class=\"none\">not there</div>".into(),
        };
        format!("<figure>{picture}<figcaption><b>{score:.3}</b>{name}</figcaption></figure>\n")
    });
    let (query, figures) = (escaped(query), figures.collect::<String>());
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{query}</title>\n\
         <style>{STYLE}</style>\n<h1>{query}</h1>\n<main>\n{figures}</main></html>\n"
    )
}

/// A small picture as PNG, in base64.
fn small(path: &Path, background: &Background) -> Result<String> {
    let picture = input::read_picture(path, background)?;
    let longer = picture.width.max(picture.height).max(SIDE);
    let side = |side: u32| (u64::from(side) * u64::from(SIDE) / u64::from(longer)).max(1) as u32;
    let small = resize(&picture, side(picture.width), side(picture.height))?;
    Ok(BASE64_STANDARD.encode(small.png()?))
}

/// A text as HTML shows it.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c if internvit::error::is_hidden(c) => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

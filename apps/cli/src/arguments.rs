//! Values of options, from their text.

/// What `--resize` takes.
pub(crate) const RESIZE: &str = "squash: ignore the aspect ratio; crop: short side, then centre; native: keep the \
    ratio; middle: squash, then centre; pad: keep the ratio, grey around; patches: keep the ratio, with at most as \
    many patches as the square has. If left out as the model's preprocessor_config.json says, else squash";

/// A colour: a name, `#rgb` or `#rrggbb`.
pub(crate) fn colour(text: &str) -> std::result::Result<[u8; 3], String> {
    let names: [(&str, [u8; 3]); 12] = [
        ("white", [255; 3]),
        ("black", [0; 3]),
        ("grey", [128; 3]),
        ("gray", [128; 3]),
        ("silver", [192; 3]),
        ("red", [255, 0, 0]),
        ("green", [0, 128, 0]),
        ("lime", [0, 255, 0]),
        ("blue", [0, 0, 255]),
        ("yellow", [255, 255, 0]),
        ("cyan", [0, 255, 255]),
        ("magenta", [255, 0, 255]),
    ];
    let lower = text.to_ascii_lowercase();
    if let Some((_, colour)) = names.iter().find(|(name, _)| *name == lower) {
        return Ok(*colour);
    }
    let digit = |c: char| c.to_digit(16).map(|digit| digit as u8);
    let digits: Option<Vec<u8>> =
        lower.strip_prefix('#').and_then(|d| d.chars().map(digit).collect());
    match digits.as_deref() {
        Some([r, g, b]) => Ok([r * 17, g * 17, b * 17]),
        Some([a, b, c, d, e, f]) => Ok([a * 16 + b, c * 16 + d, e * 16 + f]),
        _ => Err("expected a colour such as white, black, grey, #fff or #1a2b3c".into()),
    }
}

/// A place in a photograph: `X,Y` in pixels.
pub(crate) fn point(text: &str) -> std::result::Result<[u32; 2], String> {
    let point = text.split_once(',').and_then(|(x, y)| Some([x.parse().ok()?, y.parse().ok()?]));
    point.ok_or("expected X,Y in pixels, such as 220,160".into())
}

/// A place and what is there.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    pub(crate) class: String,
    pub(crate) x: u32,
    pub(crate) y: u32,
}

/// `CLASS:X,Y` in pixels.
pub(crate) fn example(text: &str) -> std::result::Result<Example, String> {
    let parse = || {
        let (class, place) = text.rsplit_once(':')?;
        let [x, y] = point(place).ok()?;
        Some(Example { class: class.into(), x, y })
    };
    parse().filter(|e| !e.class.is_empty()).ok_or("expected CLASS:X,Y, such as cat:220,160".into())
}

/// `CLASS:X,Y X,Y …` in pixels: the corners of a stroke.
pub(crate) fn stroke(text: &str) -> std::result::Result<(String, Vec<[u32; 2]>), String> {
    let parse = || {
        let mut parts = text.rsplitn(2, ':');
        let corners: Option<Vec<_>> =
            parts.next()?.split_whitespace().map(|corner| point(corner).ok()).collect();
        Some((parts.next()?.to_string(), corners?))
    };
    parse()
        .filter(|(class, corners)| !class.is_empty() && !corners.is_empty())
        .ok_or("expected CLASS:X,Y X,Y and so on in quotes, such as \"cat:220,160 230,190\"".into())
}

#[cfg(test)]
mod tests {
    use super::{colour, example, point, stroke};

    /// Texts of the characters that matter: none is a panic, and what is accepted says the same again.
    #[test]
    fn any_text_is_read_or_refused() {
        let letters: Vec<char> = "0149,:#afxZ -+.é\u{202e}".chars().collect();
        let mut state = 1u32;
        for _ in 0..20_000 {
            let mut next = |below: usize| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as usize % below
            };
            let length = next(14);
            let text: String = (0..length).map(|_| letters[next(letters.len())]).collect();
            let _ = colour(&text);
            if let Ok((class, corners)) = stroke(&text) {
                assert!(!class.is_empty() && !corners.is_empty(), "{text:?}");
            }
            if let Ok([x, y]) = point(&text) {
                assert_eq!(point(&format!("{x},{y}")), Ok([x, y]));
            }
            if let Ok(found) = example(&text) {
                assert!(!found.class.is_empty(), "{text:?}");
                assert!(example(&format!("{}:{},{}", found.class, found.x, found.y)).is_ok());
            }
        }
    }
}

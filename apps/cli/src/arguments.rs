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
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Example {
    /// Which of the photographs, from 0 on.
    pub(crate) photo: usize,
    pub(crate) class: String,
    pub(crate) x: u32,
    pub(crate) y: u32,
}

/// `CLASS:X,Y` in pixels, of another photograph than the first `CLASS:X,Y@N`.
pub(crate) fn example(text: &str) -> std::result::Result<Example, String> {
    let parse = || {
        let (class, place) = text.rsplit_once(':')?;
        let (place, photo) = of_photo(place)?;
        let [x, y] = point(place).ok()?;
        Some(Example { photo, class: class.into(), x, y })
    };
    parse().filter(|e| !e.class.is_empty()).ok_or_else(|| {
        "expected CLASS:X,Y, such as cat:220,160, or cat:220,160@2 on the second photograph".into()
    })
}

/// The places before `@N`, and N from 0 on.
fn of_photo(places: &str) -> Option<(&str, usize)> {
    let Some((places, number)) = places.rsplit_once('@') else { return Some((places, 0)) };
    Some((places, number.parse::<usize>().ok()?.checked_sub(1)?))
}

/// A stroke, by its corners.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stroke {
    /// Which of the photographs, from 0 on.
    pub(crate) photo: usize,
    pub(crate) class: String,
    pub(crate) corners: Vec<[u32; 2]>,
}

/// `CLASS:X,Y X,Y …` in pixels, of another photograph than the first with `@N` behind it.
pub(crate) fn stroke(text: &str) -> std::result::Result<Stroke, String> {
    let parse = || {
        let (class, places) = text.rsplit_once(':')?;
        let (places, photo) = of_photo(places)?;
        let corners: Option<Vec<_>> =
            places.split_whitespace().map(|corner| point(corner).ok()).collect();
        Some(Stroke { photo, class: class.into(), corners: corners? })
    };
    parse().filter(|stroke| !stroke.class.is_empty() && !stroke.corners.is_empty()).ok_or_else(
        || "expected CLASS:X,Y X,Y and so on in quotes, such as \"cat:220,160 230,190\"".into(),
    )
}

#[cfg(test)]
mod tests {
    use super::{Example, colour, example, point, stroke};

    /// Texts of the characters that matter: none is a panic, and what is accepted says the same again.
    #[test]
    fn any_text_is_read_or_refused() {
        let letters: Vec<char> = "0149,:@#afxZ -+.é\u{202e}".chars().collect();
        let mut state = 1u32;
        for _ in 0..20_000 {
            let mut next = |below: usize| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as usize % below
            };
            let length = next(14);
            let text: String = (0..length).map(|_| letters[next(letters.len())]).collect();
            let _ = colour(&text);
            if let Ok(found) = stroke(&text) {
                assert!(!found.class.is_empty() && !found.corners.is_empty(), "{text:?}");
            }
            if let Ok([x, y]) = point(&text) {
                assert_eq!(point(&format!("{x},{y}")), Ok([x, y]));
            }
            if let Ok(found) = example(&text) {
                assert!(!found.class.is_empty(), "{text:?}");
                let Example { photo, class, x, y } = &found;
                assert_eq!(example(&format!("{class}:{x},{y}@{}", photo + 1)), Ok(found.clone()));
            }
        }
    }

    #[test]
    fn points_name_their_photograph() {
        let point = |photo, x, y| Ok(Example { photo, class: "a@3:b".into(), x, y });
        assert_eq!(example("a@3:b:1,2"), point(0, 1, 2));
        assert_eq!(example("a@3:b:1,2@4"), point(3, 1, 2));
        assert_eq!(stroke("a:1,2 3,4@2").map(|found| found.photo), Ok(1));
        for wrong in ["a:1,2@0", "a:1,2@", "a:1,2@b", "a:1,2@-1", "a:1@2,2", "a:1,2@1@1"] {
            assert!(example(wrong).is_err() && stroke(wrong).is_err(), "{wrong}");
        }
    }
}

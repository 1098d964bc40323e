//! Values of options, from their text.

/// A number of bytes, decimal units or binary ones.
pub(crate) fn size(text: &str) -> std::result::Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "kb" => Some(1000),
        "mb" => Some(1_000_000),
        "gb" => Some(1_000_000_000),
        "kib" => Some(1 << 10),
        "mib" => Some(1 << 20),
        "gib" => Some(1 << 30),
        _ => None,
    };
    let number = text[..digits].parse::<u64>().ok().filter(|number| *number > 0);
    number
        .zip(unit)
        .and_then(|(number, unit)| number.checked_mul(unit))
        .ok_or_else(|| "expected a size such as 512MB, 1GB or 200MiB".to_string())
}

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

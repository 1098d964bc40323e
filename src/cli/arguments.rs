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

//! What a file is that is no picture of the kinds read here, by its content, and what to do.

use super::tiff::Tags;
use crate::pointer::{POINTER, is_pointer};

/// How much of a text is looked at.
const START: usize = 1024;

/// What to do with pictures of other kinds.
const CONVERT: &str = "convert it to JPEG or PNG first";

/// What the file is and what to do, where that is known.
pub(super) fn name(bytes: &[u8]) -> Option<String> {
    let picture = container(bytes).or_else(|| raw(bytes)).or_else(|| picture(bytes));
    if let Some(kind) = picture {
        return Some(format!("{kind}, which is not read here: {CONVERT}"));
    }
    if let Some(kind) = video(bytes) {
        return Some(format!("{kind} and not a picture: save a frame of it as JPEG or PNG first"));
    }
    if let Some(kind) = document(bytes) {
        return Some(format!("{kind}: save its picture as JPEG or PNG first"));
    }
    other(bytes).map(Into::into)
}

/// Pictures in boxes as of MPEG-4, named by their brands.
fn container(bytes: &[u8]) -> Option<&'static str> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let brands = rest.strip_prefix(b"ftyp")?;
    let length = (u32::from_be_bytes(*length) as usize).saturating_sub(8);
    let brands = &brands[..length.clamp(4, 256).min(brands.len())];
    // The first brand, a version, and the brands that it is compatible with.
    let has = |names: &[&[u8; 4]]| brands.as_chunks::<4>().0.iter().any(|b| names.contains(&b));
    if has(&[b"avif", b"avis"]) {
        Some("an AVIF picture")
    } else if has(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"]) {
        Some("a HEIC photograph")
    } else if has(&[b"mif1", b"msf1", b"mif2"]) {
        Some("a HEIF picture")
    } else if has(&[b"crx "]) {
        Some("a raw photograph (CR3)")
    } else if has(&[b"jxl "]) {
        Some("a JPEG XL picture")
    } else if has(&[b"jp2 ", b"jpx ", b"jpm "]) {
        Some("a JPEG 2000 picture")
    } else {
        None
    }
}

/// What cameras write of their sensors' values.
pub(super) fn raw(bytes: &[u8]) -> Option<&'static str> {
    let kinds: [(&[u8], &str); 7] = [
        (b"IIRO", "a raw photograph (ORF)"),
        (b"IIRS", "a raw photograph (ORF)"),
        (b"MMOR", "a raw photograph (ORF)"),
        (b"IIU\0", "a raw photograph (RW2)"),
        (b"FUJIFILMCCD-RAW", "a raw photograph (RAF)"),
        (b"FOVb", "a raw photograph (X3F)"),
        (b"\0MRM", "a raw photograph (MRW)"),
    ];
    if let Some(kind) = starting(bytes, &kinds) {
        return Some(kind);
    }
    if bytes.starts_with(b"II*\0") && bytes.get(8..10) == Some(b"CR") {
        return Some("a raw photograph (CR2)");
    }
    let tags = Tags::first(bytes)?;
    if tags.bytes(50_706).is_some() {
        return Some("a raw photograph (DNG)");
    }
    // A preview first, and the photograph in a directory below.
    let preview = tags.number(254) == Some(1) && tags.bytes(330).is_some();
    let maker = tags.bytes(271).unwrap_or_default().to_ascii_uppercase();
    match (preview, maker.get(..4)) {
        (true, Some(b"NIKO")) => Some("a raw photograph (NEF)"),
        (true, Some(b"SONY")) => Some("a raw photograph (ARW)"),
        (true, Some(b"PENT" | b"RICO")) => Some("a raw photograph (PEF)"),
        _ => None,
    }
}

/// Pictures by their first bytes.
fn picture(bytes: &[u8]) -> Option<&'static str> {
    let kinds: [(&[u8], &str); 33] = [
        (b"\xff\x0a", "a JPEG XL picture"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
        (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
        (b"\xff\xd8\xff\xf7", "a JPEG-LS picture"),
        (b"II\xbc\x01", "a JPEG XR picture"),
        (b"8BPS", "a Photoshop file (PSD)"),
        (b"gimp xcf", "a GIMP file (XCF)"),
        (b"\0\0\x01\0", "an icon (ICO)"),
        (b"\0\0\x02\0", "a cursor (CUR)"),
        (b"icns", "an icon (ICNS)"),
        (b"qoif", "a QOI picture"),
        (b"DDS ", "a DDS texture"),
        (b"\xabKTX ", "a KTX texture"),
        (b"\x76\x2f\x31\x01", "an OpenEXR picture"),
        (b"#?RADIANCE", "a Radiance HDR picture"),
        (b"#?RGBE", "a Radiance HDR picture"),
        (b"farbfeld", "a Farbfeld picture"),
        (b"\x8aMNG", "a MNG animation"),
        (b"\x8bJNG", "a JNG picture"),
        (b"BPG\xfb", "a BPG picture"),
        (b"FLIF", "a FLIF picture"),
        (b"\x01\xda\0\x01", "an SGI picture"),
        (b"\x01\xda\x01\x01", "an SGI picture"),
        (b"\x59\xa6\x6a\x95", "a Sun raster picture"),
        (b"\x0a\x05\x01", "a PCX picture"),
        (b"/* XPM", "an XPM picture"),
        (b"#define ", "an XBM picture"),
        (b"SIMPLE  =", "a FITS picture"),
        (b"AT&TFORM", "a DjVu document"),
        (b"\xd7\xcd\xc6\x9a", "a Windows metafile"),
        (b"PF\n", "a PFM picture"),
        (b"Pf\n", "a PFM picture"),
    ];
    let netpbm = matches!(bytes, [b'P', b'1'..=b'7', b' ' | b'\t' | b'\r' | b'\n' | b'#', ..]);
    if netpbm {
        return Some("a Netpbm picture (PNM)");
    }
    if bytes.get(128..132) == Some(b"DICM") {
        return Some("a DICOM picture");
    }
    // A Targa file of the newer kind has its name at the end.
    if bytes.len() > 44 && bytes[bytes.len() - 18..].starts_with(b"TRUEVISION-XFILE") {
        return Some("a Targa picture (TGA)");
    }
    starting(bytes, &kinds)
}

fn video(bytes: &[u8]) -> Option<&'static str> {
    if matches!(bytes.get(4..8), Some(b"ftyp" | b"moov" | b"mdat" | b"wide" | b"free" | b"skip")) {
        return Some("a video (MP4 or MOV)");
    }
    match (bytes.get(..4), bytes.get(8..12)) {
        (Some(b"RIFF"), Some(b"AVI ")) => return Some("a video (AVI)"),
        (Some(b"RIFF"), Some(b"WAVE")) => return Some("a sound (WAV)"),
        _ => {}
    }
    let kinds: [(&[u8], &str); 7] = [
        (b"\x1a\x45\xdf\xa3", "a video (WebM or Matroska)"),
        (b"\0\0\x01\xba", "a video (MPEG)"),
        (b"\0\0\x01\xb3", "a video (MPEG)"),
        (b"FLV\x01", "a video (FLV)"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a video (WMV)"),
        (b"OggS", "a video or a sound (Ogg)"),
        (b"ID3", "a sound (MP3)"),
    ];
    starting(bytes, &kinds)
}

fn document(bytes: &[u8]) -> Option<&'static str> {
    let kinds: [(&[u8], &str); 4] = [
        (b"%PDF-", "a PDF document"),
        (b"%!PS", "a PostScript document"),
        (b"\xc5\xd0\xd3\xc6", "a PostScript document (EPS)"),
        (b"\xd0\xcf\x11\xe0", "a document of an office program"),
    ];
    let text = text(bytes);
    let svg = text.starts_with(b"<svg")
        || (text.starts_with(b"<?xml")
            || text.starts_with(b"<!doctype svg")
            || text.starts_with(b"<!--"))
            && text.windows(4).any(|part| part == b"<svg");
    if svg { Some("an SVG drawing") } else { starting(bytes, &kinds) }
}

/// What is no picture at all.
fn other(bytes: &[u8]) -> Option<&'static str> {
    let text = text(bytes);
    if is_pointer(bytes) {
        return Some(POINTER);
    }
    let page: [&[u8]; 4] = [b"<!doctype html", b"<html", b"<head", b"<body"];
    if page.iter().any(|start| text.starts_with(start)) {
        return Some("a web page and not a picture: download the picture itself");
    }
    if text.starts_with(b"<?xml") || text.starts_with(b"<error") {
        return Some("XML, perhaps a server's error, and not a picture: download it again");
    }
    let json = matches!(text.first(), Some(b'{' | b'[')) && std::str::from_utf8(&text).is_ok();
    if json {
        return Some("JSON, perhaps a server's error, and not a picture: download it again");
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return Some("a tar archive: unpack it first");
    }
    if bytes.get(8) == Some(&b'{') && bytes.get(4..8) == Some(&[0; 4]) {
        return Some("a safetensors file and not a picture");
    }
    if bytes.len() >= 16 && bytes.iter().all(|byte| *byte == 0) {
        return Some("nothing but zeros, as a transfer that broke off leaves them: copy it again");
    }
    let kinds: [(&[u8], &str); 9] = [
        (b"PK\x03\x04", "a ZIP archive: unpack it first"),
        (b"PK\x05\x06", "an empty ZIP archive"),
        (b"\x1f\x8b", "compressed by gzip: unpack it first"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
        (b"Rar!", "a RAR archive: unpack it first"),
        (b"\x28\xb5\x2f\xfd", "compressed by Zstandard: unpack it first"),
        (b"\x93NUMPY", "a NumPy array and not a picture"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file and not a picture"),
        (b"\0\x05\x16\x07", "what macOS keeps beside a file (`._` …) and not the picture itself"),
    ];
    starting(bytes, &kinds)
}

fn starting(bytes: &[u8], kinds: &[(&[u8], &'static str)]) -> Option<&'static str> {
    kinds.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, kind)| *kind)
}

/// The start of a text in small letters, without what may stand before it.
fn text(bytes: &[u8]) -> Vec<u8> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    text[..text.len().min(START)].to_ascii_lowercase()
}

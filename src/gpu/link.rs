//! Shaders are files that work as they stand. Linking sets their knobs (`const NAME = value;` at
//! column 0) and appends the files that fill their holes; WGSL does not mind the order, and the
//! main file's line numbers stay those on disk.

use super::kernels::Knob;
use crate::{Error, Result};

/// A shader file.
#[derive(Clone, Copy, Debug)]
pub struct ShaderFile {
    /// Its path below `shaders/`, without the ending.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
    /// The files that it cannot do without, whatever fills its holes.
    pub uses: &'static [&'static str],
}

/// A shader's text with spaces in place of whole lines of comment, whose text the page need not download;
/// lines keep their numbers.
const fn without_comments<const N: usize>(text: &str) -> [u8; N] {
    let (text, mut bare) = (text.as_bytes(), [b' '; N]);
    let (mut at, mut comment, mut begun) = (0, false, false);
    // Iterators are not for constants.
    while at < N {
        let byte = text[at];
        if byte == b'\n' {
            (comment, begun) = (false, false);
        } else if !begun && byte != b' ' {
            begun = true;
            comment = byte == b'/' && at + 1 < N && text[at + 1] == b'/';
        }
        if !comment {
            bare[at] = byte;
        }
        at += 1;
    }
    bare
}

macro_rules! shaders {
    ($($(#[$when:meta])? $name:literal $(uses $($used:literal),+)?;)*) => {
        /// Every shader file.
        pub const SHADERS: &[ShaderFile] = &[$($(#[$when])? ShaderFile {
            name: $name,
            text: {
                const TEXT: &str = include_str!(concat!("../../shaders/", $name, ".wgsl"));
                const BARE: &[u8] = &without_comments::<{ TEXT.len() }>(TEXT);
                match (crate::IN_BROWSER, std::str::from_utf8(BARE)) {
                    (true, Ok(text)) => text,
                    _ => TEXT,
                }
            },
            uses: &[$($($used),+)?],
        }),*];
    };
}

shaders! {
    "act/erf";
    "act/hyperbolic";
    "act/none";
    "act/quick" uses "shared/logistic";
    "act/relu";
    "act/silu" uses "shared/logistic";
    "act/tanh" uses "shared/logistic";
    "add" uses "shared/size";
    "affine/weight";
    "affine/weight_bias";
    #[cfg(feature = "language")] "append" uses "shared/size";
    "attention_direct" uses "shared/size", "shared/values";
    "attention_matrix" uses "shared/size";
    "attention_subgroup" uses "shared/size", "shared/sixteen", "shared/values";
    "attention_subgroup4" uses "shared/size";
    "attention_team" uses "shared/size", "shared/team";
    "attention_tiled" uses "shared/size";
    "bias/none";
    "bias/pairs";
    "bias/vector";
    "box_mean" uses "shared/size";
    #[cfg(feature = "language")] "causal" uses "shared/size";
    #[cfg(feature = "language")] "causal_subgroup" uses "shared/sixteen", "shared/size";
    #[cfg(feature = "language")] "eight/int4";
    #[cfg(feature = "language")] "eight/int8";
    #[cfg(feature = "language")] "eight/plain";
    "embed" uses "shared/size";
    "finish/gated";
    "finish/gated_residual";
    "finish/residual";
    "finish/store";
    "gather" uses "shared/size";
    "input/patches" uses "shared/patch";
    "input/rows";
    "input/window";
    "interleave" uses "shared/size";
    "linear_direct" uses "shared/size";
    "linear_matrix" uses "shared/size";
    #[cfg(feature = "language")] "linear_one" uses "shared/size";
    #[cfg(feature = "language")] "linear_one_subgroup" uses "shared/size";
    "linear_packed" uses "shared/size";
    #[cfg(feature = "probe")] "linear_parts" uses "shared/size";
    "linear_subgroup" uses "shared/size";
    "linear_subgroup4" uses "shared/size";
    "linear_team" uses "shared/size", "shared/team";
    "linear_tiled" uses "shared/size";
    "linear_vector" uses "shared/size";
    #[cfg(feature = "probe")] "linear_wide" uses "shared/size";
    "local_affine" uses "shared/size";
    "norm" uses "shared/size";
    "norm_direct" uses "shared/size";
    "outer" uses "shared/size";
    "patchify" uses "shared/patch", "shared/size";
    #[cfg(feature = "language")] "pick" uses "shared/size";
    "pixel/planes";
    "pixel/rgba";
    "pool" uses "shared/size";
    #[cfg(feature = "language")] "probabilities" uses "shared/size";
    "resize" uses "shared/size";
    "ridge" uses "shared/size";
    "rotate" uses "shared/size";
    "round" uses "shared/size";
    #[cfg(feature = "language")] "row/normed";
    #[cfg(feature = "language")] "row/plain";
    "scale/none";
    "scale/vector";
    "shared/by_four";
    "shared/half";
    "shared/logistic";
    "shared/patch";
    "shared/sixteen";
    "shared/size";
    "shared/sum";
    "shared/sum_subgroup";
    "shared/team";
    #[cfg(feature = "language")] "shared/turned";
    "shared/values";
    "summand/none";
    "summand/table";
    "tile/16";
    "tile/8";
    #[cfg(feature = "language")] "top" uses "shared/size";
    #[cfg(feature = "language")] "turn/normed";
    #[cfg(feature = "language")] "turn/plain";
    "weight/bf16" uses "shared/by_four";
    "weight/f16" uses "shared/by_four", "shared/half";
    "weight/f32" uses "shared/by_four";
    "weight/half";
    "weight/int4" uses "shared/half";
    "weight/int8";
    "weight/to_half";
    "x/f16";
    "x/f32";
    "y/f16";
    "y/f32";
}

/// What a hole of f16 begins with.
#[cfg(feature = "probe")]
const ENABLE_F16: &str = "\nenable f16;\n";

fn find(name: &str) -> Result<&'static ShaderFile> {
    let found = SHADERS.iter().find(|file| file.name == name);
    found.ok_or_else(|| Error::device(format!("no shader file {name:?}")))
}

/// The text of `files` (the kernel first, then its holes) and of what they use, with `knobs` set.
///
/// # Errors
/// [`Error::Device`] for a file or a knob that does not exist.
pub fn link<F: AsRef<str>>(files: &[F], knobs: &[(&str, Knob)]) -> Result<String> {
    let mut list: Vec<&ShaderFile> = Vec::new();
    for file in files {
        list.push(find(file.as_ref())?);
    }
    // Files that are used are appended, and what those use in turn.
    let mut at = 0;
    while let Some(file) = list.get(at) {
        for used in file.uses {
            if list.iter().all(|file| file.name != *used) {
                list.push(find(used)?);
            }
        }
        at += 1;
    }
    let mut text = String::new();
    for file in &list {
        text.push_str(file.text);
        text.push('\n');
    }
    // A directive stands before all else; here too lines keep their numbers.
    #[cfg(feature = "probe")]
    if let Some(at) = text.rfind(ENABLE_F16).filter(|at| *at > 0) {
        text.replace_range(at + 1..at + ENABLE_F16.len() - 1, "");
        text.insert_str(0, ENABLE_F16.trim_ascii());
    }
    for (name, value) in knobs {
        let head = format!("\nconst {name} = ");
        let none = || Error::device(format!("{}: no knob {name}", list[0].name));
        let start = text.find(&head).map(|at| at + head.len()).ok_or_else(none)?;
        let end = text[start..].find(';').map_or(text.len(), |length| start + length);
        text.replace_range(start..end, &value.to_string());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knobs_are_set_and_unknown_ones_refused() {
        let text = link(&["embed"], &[("C", Knob::U32(64))]).expect("links");
        assert!(text.contains("\nconst C = 64u;"));
        assert!(link(&["embed"], &[("D", Knob::U32(64))]).is_err());
        assert!(link(&["no_such_file"], &[]).is_err());
        assert_eq!(text.matches("struct Size").count(), 1);
    }

    #[test]
    fn only_whole_lines_of_comment_become_spaces() {
        const TEXT: &str = "// a\nlet b = c / d; // e\n  // f\n";
        const BARE: &[u8] = &without_comments::<{ TEXT.len() }>(TEXT);
        assert_eq!(BARE, b"    \nlet b = c / d; // e\n      \n");
    }

    #[test]
    fn line_numbers_are_those_on_disk() {
        let text = link(&["norm"], &[("C", Knob::U32(64))]).expect("links");
        let file = find("norm").expect("norm").text;
        let line = |text: &str| text.lines().position(|l| l.contains("fn main"));
        assert_eq!(line(&text), line(file));
    }
}

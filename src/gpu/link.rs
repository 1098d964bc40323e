//! Shaders are files that work as they stand. Linking sets their knobs (`const NAME = value;` at
//! column 0) and appends the files that fill their holes; WGSL does not mind the order, and the
//! main file's line numbers stay those on disk.

use crate::{Error, Result};

macro_rules! shaders {
    ($($name:literal),* $(,)?) => {
        /// Every shader file by name.
        pub const SHADERS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../shaders/", $name, ".wgsl")))),*];
    };
}

shaders![
    "act/gelu",
    "act/none",
    "act/relu",
    "affine/weight",
    "affine/weight_bias",
    "attention_direct",
    "attention_matrix",
    "attention_subgroup",
    "attention_tiled",
    "bias/none",
    "bias/vector",
    "embed",
    "finish/residual",
    "finish/store",
    "input/patches",
    "input/rows",
    "input/window",
    "interleave",
    "linear_direct",
    "linear_matrix",
    "linear_packed",
    "linear_subgroup",
    "linear_tiled",
    "norm",
    "norm_direct",
    "patchify",
    "pixel/planes",
    "pixel/rgba",
    "pool",
    "resize",
    "scale/none",
    "scale/vector",
    "shared/half",
    "shared/patch",
    "shared/size",
    "shared/sum",
    "shared/sum_subgroup",
    "shared/values",
    "tile/16",
    "tile/8",
    "weight/bf16",
    "weight/f16",
    "weight/f32",
    "weight/half",
    "weight/int4",
    "weight/int8",
    "weight/to_half",
    "x/f16",
    "x/f32",
    "y/f16",
    "y/f32",
];

/// The text of `files` (the kernel first, then its holes) with `knobs` set.
///
/// # Errors
/// [`Error::Device`] for a file or a knob that does not exist.
pub fn link(files: &[&str], knobs: &[(&str, String)]) -> Result<String> {
    let mut text = String::new();
    for file in files {
        let found = SHADERS.iter().find(|(name, _)| name == file);
        let (_, body) = found.ok_or_else(|| Error::device(format!("no shader file {file:?}")))?;
        text.push_str(body);
        text.push('\n');
    }
    for (name, value) in knobs {
        let head = format!("\nconst {name} = ");
        let start = text
            .find(&head)
            .map(|at| at + head.len())
            .ok_or_else(|| Error::device(format!("{}: no knob {name}", files[0])))?;
        let end = text[start..].find(';').map_or(text.len(), |length| start + length);
        text.replace_range(start..end, value);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knobs_are_set_and_unknown_ones_refused() {
        let text = link(&["embed", "shared/size"], &[("C", "64u".into())]).expect("links");
        assert!(text.contains("\nconst C = 64u;"));
        assert!(link(&["embed"], &[("D", "64u".into())]).is_err());
        assert!(link(&["no_such_file"], &[]).is_err());
    }

    #[test]
    fn line_numbers_are_those_on_disk() {
        let text = link(&["norm", "shared/size"], &[("C", "64u".into())]).expect("links");
        let file = SHADERS.iter().find(|(name, _)| *name == "norm").expect("norm").1;
        let line = |text: &str| text.lines().position(|l| l.contains("fn main"));
        assert_eq!(line(&text), line(file));
    }
}

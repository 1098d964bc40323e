//! How a head's classes are called and shown.

use crate::model::HeadSpec;
use crate::view::default_palette;

/// A name for each class; a number where the head has no names.
pub fn class_names(head: &HeadSpec) -> Vec<String> {
    let name = |class: usize| head.names.get(class).cloned();
    (0..head.classes).map(|n| name(n).unwrap_or_else(|| format!("class {n}"))).collect()
}

/// The head's colours, or others where it has none.
pub fn class_palette(head: &HeadSpec) -> Vec<[u8; 3]> {
    match head.palette.is_empty() {
        true => default_palette(head.classes),
        false => head.palette.clone(),
    }
}

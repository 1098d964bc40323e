//! What a classifier's classes are called.

use crate::json;

/// ImageNet's thousand, in the order of its classifiers, as the package open_clip_torch 3.3.0 names them.
///
/// That package is under the MIT licence, © 2012–2021 Gabriel Ilharco, Mitchell Wortsman, Nicholas Carlini,
/// Rohan Taori, Achal Dave, Vaishaal Shankar, John Miller, Hongseok Namkoong, Hannaneh Hajishirzi, Ali
/// Farhadi, Ludwig Schmidt.
const IMAGENET: &str = include_str!("imagenet.txt");

/// The names of `count` classes: those of the configuration ([`own_class_names`]), ImageNet's where there are a
/// thousand without names; else their numbers.
pub fn class_names(config: &str, count: usize) -> Vec<String> {
    let known = IMAGENET.lines().count() == count;
    let own = own_class_names(config, count).into_iter().enumerate();
    let name = |(class, own): (usize, String)| match (own.as_str(), known) {
        ("", true) => IMAGENET.lines().nth(class).unwrap_or_default().to_string(),
        ("", false) => class.to_string(),
        _ => own,
    };
    own.map(name).collect()
}

/// The names of `count` classes by a configuration's `id2label`, or by timm's `label_names`; empty where it names none.
pub fn own_class_names(config: &str, count: usize) -> Vec<String> {
    let config = json::value(config).unwrap_or_default();
    let labels = &config["id2label"];
    let listed = &config["label_names"];
    // What transformers writes where the classes have no names.
    let named = labels["0"] != "LABEL_0";
    let name = |class: usize| {
        let label = labels.get(class.to_string()).filter(|_| named).or(listed.get(class));
        label.and_then(|label| label.as_str()).unwrap_or_default().to_string()
    };
    (0..count).map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::class_names;

    #[test]
    fn names_of_classes() {
        let own = class_names(r#"{"id2label": {"0": "cat", "1": "dog"}}"#, 3);
        assert_eq!(own, ["cat", "dog", "2"]);
        assert_eq!(class_names(r#"{"label_names": ["a", "b"]}"#, 2), ["a", "b"]);
        let imagenet = class_names(r#"{"id2label": {"0": "LABEL_0"}}"#, 1000);
        assert_eq!((imagenet[0].as_str(), imagenet[281].as_str()), ("tench", "tabby cat"));
        assert_eq!((imagenet[999].as_str(), imagenet.len()), ("toilet paper", 1000));
    }
}

//! Masks as COCO's JSON: a class of a picture is an annotation, its pixels are run lengths.

use serde_json::{Value, json};

/// Pictures and the masks of their classes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coco {
    names: Vec<String>,
    images: Vec<Value>,
    annotations: Vec<Value>,
}

impl Coco {
    /// No picture yet. Class 0 of labels is category 1.
    pub fn new(names: &[String]) -> Self {
        Self { names: names.to_vec(), ..Self::default() }
    }

    /// Adds a picture by its file's name and the labels of its pixels.
    pub fn add(&mut self, file: &str, labels: &[i32], [height, width]: [usize; 2]) {
        let image = self.images.len() + 1;
        self.images.push(json!({
            "id": image, "file_name": file, "height": height, "width": width,
        }));
        for class in 0..self.names.len() {
            let Some([x, y, across, down]) = extent(labels, width, class as i32) else { continue };
            let area = labels.iter().filter(|label| **label == class as i32).count();
            self.annotations.push(json!({
                "id": self.annotations.len() + 1, "image_id": image, "category_id": class + 1,
                "segmentation": {
                    "size": [height, width], "counts": packed(&runs(labels, width, class as i32)),
                },
                "area": area, "bbox": [x, y, across, down], "iscrowd": 0,
            }));
        }
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        let categories = self.names.iter().enumerate();
        let categories: Vec<Value> =
            categories.map(|(class, name)| json!({ "id": class + 1, "name": name })).collect();
        json!({
            "images": self.images, "annotations": self.annotations, "categories": categories,
        })
        .to_string()
    }
}

/// Left, top, width and height of a class; `None` where it has no pixel.
fn extent(labels: &[i32], width: usize, class: i32) -> Option<[usize; 4]> {
    let pixels = || (0..labels.len()).filter(|at| labels[*at] == class);
    let (left, right) =
        (pixels().map(|at| at % width).min()?, pixels().map(|at| at % width).max()?);
    let (top, bottom) = (pixels().next()? / width, pixels().next_back()? / width);
    Some([left, top, right - left + 1, bottom - top + 1])
}

/// How many pixels, column by column, are not of a class, then are, and so on in turn.
fn runs(labels: &[i32], width: usize, class: i32) -> Vec<usize> {
    let mut runs = vec![0];
    let mut inside = false;
    for x in 0..width {
        for label in labels.iter().skip(x).step_by(width) {
            if (*label == class) != inside {
                inside = !inside;
                runs.push(0);
            }
            if let Some(last) = runs.last_mut() {
                *last += 1;
            }
        }
    }
    runs
}

/// Run lengths as COCO's text: from the fourth on less the one before the last, five bits a character.
fn packed(runs: &[usize]) -> String {
    let mut text = String::new();
    for (at, run) in runs.iter().enumerate() {
        let before = if at > 2 { runs[at - 2] as i64 } else { 0 };
        let mut rest = *run as i64 - before;
        loop {
            let bits = rest & 0x1f;
            rest >>= 5;
            // The fifth bit is the sign, as far as it goes.
            let more = rest != if bits & 0x10 == 0 { 0 } else { -1 };
            let code = bits | if more { 0x20 } else { 0 };
            text.push(char::from(48 + code as u8));
            if !more {
                break;
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn masks_are_run_lengths_by_columns() {
        let labels = [0, 0, 1, 1, 0, 0];
        assert_eq!(runs(&labels, 3, 0), [0, 1, 1, 2, 1, 1]);
        assert_eq!(runs(&labels, 3, 1), [1, 1, 2, 1, 1]);
        assert_eq!(extent(&labels, 3, 1), Some([0, 0, 3, 2]));
        assert_eq!(extent(&labels, 3, 2), None);
    }

    /// Texts as pycocotools 2.0 writes them.
    #[test]
    fn run_lengths_are_packed_as_by_cocos_tools() {
        let cases: [(&[usize], &str); 2] =
            [(&[1, 1, 2, 1, 1], "1120O"), (&[37, 500, 3, 1000, 20], "U1d?3d?a0")];
        for (runs, expected) in cases {
            assert_eq!(packed(runs), expected, "{runs:?}");
        }
        let mut coco = Coco::new(&["a".into(), "b".into()]);
        coco.add("x.png", &[0, 0, 1, 1, 0, 0], [2, 3]);
        let json: Value = serde_json::from_str(&coco.to_json()).unwrap();
        assert_eq!(json["annotations"][1]["area"], 2);
        assert_eq!(json["annotations"][1]["category_id"], 2);
        assert_eq!(json["annotations"][0]["bbox"], json!([0, 0, 3, 2]));
        assert_eq!(json["images"][0]["height"], 2);
    }
}

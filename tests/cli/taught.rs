//! `internvit teach` and the head that it writes: what it is given, and what is made of it.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::app::picture;
use crate::common::*;
use crate::run::*;
use serde_json::json;

/// Points, strokes and a picture of labels teach alike, and what is made of probabilities is written.
#[test]
fn points_strokes_and_labels_teach() {
    let folder = scratch("lessons-outputs");
    let cat = sample("chelsea.png");
    let file = |name: &str| folder.join(name);
    let [head, labels, unsure, cut] =
        ["h.safetensors", "labels.png", "unsure.png", "cut.png"].map(file);
    let (soft, margin) = (file("p.npy"), file("unsure.npy"));
    let small = ["--image-size", "56", "--device", "cpu", "--out", text(&head)];
    let teach = |more: &[&str]| ok(&[&["teach", text(&cat)][..], &small, more].concat());
    let named = ["--scribble", "cat:200,150 260,150", "--scribble", "wall:430,10 440,20"];
    let all = ["--labels", text(&labels), "--unsure", text(&unsure), "--cut-out", text(&cut)];
    teach(&[&named[..], &all, &["--probabilities", text(&soft), "--cut", "wall"]].concat());
    let stored = |path: &std::path::Path| {
        let mut reader =
            png::Decoder::new(std::io::BufReader::new(std::fs::File::open(path).unwrap()));
        reader.set_transformations(png::Transformations::IDENTITY);
        let mut reader = reader.read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        ([info.width, info.height], bytes)
    };
    let (size, indices) = stored(&labels);
    assert_eq!((size, indices.len()), ([451, 300], 451 * 300));
    assert_eq!((indices[150 * 451 + 230], indices[12 * 451 + 432]), (0, 1));
    let (_, rgba) = stored(&cut);
    assert_eq!(rgba.len(), 4 * 451 * 300);
    assert_eq!((rgba[4 * (150 * 451 + 230) + 3], rgba[4 * (12 * 451 + 432) + 3]), (0, 255));
    let bytes = std::fs::read(&soft).unwrap();
    let values = npyz::NpyFile::new(&bytes[..]).unwrap();
    assert_eq!(values.shape(), [2, 300, 451]);
    let values: Vec<f32> = values.into_vec().unwrap();
    let at = 150 * 451 + 230;
    assert!(values[at] > 0.6 && (values[at] + values[300 * 451 + at] - 1.0).abs() < 0.05);
    assert_eq!(picture(&unsure).width, 451);

    // The same from a picture of labels: 1 is the cat, 2 the wall.
    let mut given = vec![0u8; 451 * 300];
    (200..=260).for_each(|x| given[150 * 451 + x] = 1);
    (430..=440).for_each(|x| given[(x - 420) * 451 + x] = 2);
    let examples = file("examples.png");
    let mut encoder = png::Encoder::new(std::fs::File::create(&examples).unwrap(), 451, 300);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&given).unwrap();
    let pictured = ["--examples", text(&examples), "--names", "cat,wall"];
    teach(&[&pictured[..], &["--unsure", text(&margin), "--labels", text(&labels)]].concat());
    let (_, other) = stored(&labels);
    let same = indices.iter().zip(&other).filter(|(a, b)| a == b).count();
    assert!(same * 100 > 97 * indices.len(), "{same} of {}", indices.len());

    let refused = |more: &[&str], why: &str| {
        fails(&[&["teach", text(&cat)][..], &small, more].concat(), why);
    };
    refused(&[&pictured[..3], &["cat"]].concat(), "label 2: names are given for 1 to 1");
    refused(&["--examples", text(&cat), "--names", "cat,wall"], "expected a PNG of labels");
    refused(&["--scribble", "cat:1", "--point", "wall:1,2"], "expected CLASS:X,Y X,Y");
    refused(&[&named[..], &["--cut-out", text(&cut), "--cut", "dog"]].concat(), "class dog");
}

/// Points, strokes and pictures of labels on two photographs teach one head, which knows both.
#[test]
fn two_photographs_teach_one_head() {
    let folder = scratch("lessons-two");
    let (cat, cup) = (sample("chelsea.png"), sample("coffee.png"));
    let [head, other, labels, examples] =
        ["h.safetensors", "o.safetensors", "labels.png", "e.png"].map(|n| folder.join(n));
    let small = ["--image-size", "56", "--device", "cpu"];
    let both = ["teach", text(&cat), text(&cup)];
    let teach = |more: &[&str], out: &std::path::Path| {
        let output = internvit(&[&both[..], &small, &["--out", text(out)], more].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        said
    };
    let points = ["--point", "cat:230,150", "--point", "wall:435,15"];
    let second = ["--point", "cup:300,200@2", "--scribble", "table:20,20 40,20@2"];
    let said = teach(&[&points[..], &second, &["--labels", text(&labels)]].concat(), &head);
    let named = |name: &str| said.lines().filter(|line| line.contains(name)).count();
    assert_eq!(["chelsea.png: cat ", "coffee.png: cat "].map(named), [1, 1], "{said}");
    let picture = picture(&labels);
    assert_eq!([picture.width, picture.height], [451, 300], "of the first photograph");

    // The head finds on the second photograph what was named there.
    let segment = ["segment", text(&cup), "--head", text(&head), "--window", "56"];
    ok(&[&segment[..], &["--device", "cpu", "--labels", text(&labels)]].concat());
    let mut reader =
        png::Decoder::new(std::io::BufReader::new(std::fs::File::open(&labels).unwrap()));
    reader.set_transformations(png::Transformations::IDENTITY);
    let mut reader = reader.read_info().unwrap();
    let mut indices = vec![0; reader.output_buffer_size().unwrap()];
    let width = reader.next_frame(&mut indices).unwrap().width as usize;
    assert_eq!([indices[200 * width + 300], indices[20 * width + 30]], [2, 3]);

    // @1 is the first, and a picture of labels belongs to the photograph of its place.
    let numbered = ["--point", "cat:230,150@1", "--point", "wall:435,15@1"];
    teach(&[&numbered[..], &second].concat(), &other);
    assert_eq!(std::fs::read(&head).unwrap(), std::fs::read(&other).unwrap());
    let mut given = vec![0u8; 451 * 300];
    (given[150 * 451 + 230], given[15 * 451 + 435]) = (1, 2);
    let mut encoder = png::Encoder::new(std::fs::File::create(&examples).unwrap(), 451, 300);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&given).unwrap();
    let pictured = ["--examples", text(&examples), "--names", "cat,wall"];
    let said = teach(&[&pictured[..], &second].concat(), &other);
    assert!(said.contains("cup ") && said.contains("table "), "{said}");

    let refused = |more: &[&str], why: &str| {
        fails(&[&both[..], &small, &["--out", text(&other)], more].concat(), why);
    };
    refused(&["--point", "cat:1,1@3"], "cat:1,1@3: expected a number from 1 to 2");
    refused(&["--point", "cat:1,1@0"], "expected CLASS:X,Y");
    refused(&["--scribble", "cat:1,1 2,2@9"], "cat:1,1@9: expected a number from 1 to 2");
    let three = ["--examples", text(&examples)].repeat(3);
    refused(&three, "3 pictures of labels: expected at most 2");
    refused(&[&second[..], &["--point", "cup:9999,1@2"]].concat(), "cup:9999,1");
}

/// A head that walks is applied to other photographs, and the masks of all stand in one file.
#[test]
fn a_head_that_walks_is_applied() {
    let folder = scratch("lessons-segment");
    let (cat, cup) = (sample("chelsea.png"), sample("coffee.png"));
    let [head, zip, soft, maps] =
        ["h.safetensors", "masks.zip", "soft", "maps"].map(|n| folder.join(n));
    let points = ["--point", "cat:230,150", "--point", "wall:435,15"];
    let small = ["--image-size", "56", "--device", "cpu", "--out", text(&head)];
    ok(&[&["teach", text(&cat)][..], &small, &points].concat());
    let segment = ["segment", text(&cat), text(&cup), "--head", text(&head), "--window", "56"];
    let segment = [&segment[..], &["--device", "cpu"]].concat();
    let written =
        ["--masks-zip", text(&zip), "--probabilities", text(&soft), "--labels", text(&maps)];
    ok(&[&segment[..], &written, &["--least", "50"]].concat());
    let mut archive = zip::ZipArchive::new(std::fs::File::open(&zip).unwrap()).unwrap();
    let mut read = |name: &str| {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut archive.by_name(name).unwrap(), &mut bytes).unwrap();
        bytes
    };
    assert!(read("masks/chelsea.png") == std::fs::read(maps.join("chelsea.png")).unwrap());
    let coco: serde_json::Value = serde_json::from_slice(&read("annotations.json")).unwrap();
    assert_eq!(coco["images"][1]["file_name"], "coffee.png");
    assert_eq!(coco["categories"][1], json!({"id": 2, "name": "wall"}));
    let area = |image: u64| {
        let of = |one: &&serde_json::Value| one["image_id"] == image;
        let list = coco["annotations"].as_array().unwrap();
        list.iter().filter(of).map(|one| one["area"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!([area(1), area(2)], [451 * 300, 600 * 400]);
    let bytes = std::fs::read(soft.join("coffee.npy")).unwrap();
    assert_eq!(npyz::NpyFile::new(&bytes[..]).unwrap().shape(), [2, 400, 600]);

    // By patches alone it is another map, and as large.
    let by_patches = folder.join("linear");
    ok(&[&segment[..], &["--method", "linear", "--labels", text(&by_patches)]].concat());
    let [walked, linear] = [&maps, &by_patches].map(|folder| picture(&folder.join("chelsea.png")));
    assert!((walked.width, walked.height) == (linear.width, linear.height) && walked != linear);
    fails(
        &[&segment[..], &["--labels", text(&maps), "--stride", "40"]].concat(),
        "leave --pixel-values",
    );
    let alone = folder.join("p.npy");
    let own = ["segment", text(&cat), "--probabilities", text(&alone)];
    fails(&own, "expected a head that was taught");
}

//! The room of a session: its views are those of the command line to the last byte, and of the page's
//! requests.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::*;
use crate::run::*;
use internvit::app::{Album, Example, Keep, Lesson, Photo, Shape, Windows};
use internvit::image::{Decoded, Options, Picture, Resize, decode, decode_with};
use internvit::view::{
    Edges, Inputs, Map, PcaBasis, Request, VIEWS, beside, mark, paint_labels, patch_centre, render,
};
use internvit::{Checkpoint, Device, Encoder, Result, Tensor};
use serde_json::json;

/// A session with the bundled model on the CPU, in pictures of 56 pixels.
pub(super) struct Session {
    pub(super) encoder: Encoder,
    pub(super) album: Album,
}

impl Session {
    pub(super) fn open() -> Self {
        let checkpoint = wait(Checkpoint::bundled()).unwrap();
        let encoder = wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap();
        Self { encoder, album: Album::default() }
    }

    /// Encodes a photograph as the page does: with all hidden states.
    pub(super) fn add(&mut self, path: &Path, resize: Option<Resize>, tiles: u32) -> u32 {
        let options = Options { background: Some([255; 3]), alpha: true };
        let bytes = std::fs::read(path).unwrap();
        let Decoded { picture, alpha, .. } = decode_with("photo", &bytes, options).unwrap();
        let spec = self.encoder.spec();
        let shape = Shape::new(spec, Some(56), resize, tiles).unwrap();
        let taps: Vec<usize> = (0..=spec.sizes.layers).collect();
        let keep = Keep { taps: &taps, residency: internvit::session::Residency::Device };
        let mut photo =
            wait(Photo::encode(&mut self.encoder, picture, &shape, keep, &mut on)).unwrap();
        alpha.iter().for_each(|alpha| photo.leave_out(alpha));
        self.album.add(photo)
    }

    /// A view, requested as the page does.
    pub(super) fn view(&mut self, id: u32, request: serde_json::Value) -> Result<Map> {
        let request = serde_json::from_value(request).unwrap();
        wait(self.album.view(&self.encoder, id, &request, &mut |_, _| ()))
    }

    pub(super) fn patch(&self, id: u32, at: [u32; 2]) -> usize {
        self.album.photo(id).unwrap().patch(at).unwrap().unwrap()
    }

    /// Names pixels of a photograph in a lesson.
    pub(super) fn name(&self, lesson: &mut Lesson, id: u32, points: &[(&str, [u32; 2])]) {
        for (name, at) in points {
            let (class, token) = (lesson.class(name), self.patch(id, *at));
            lesson.examples.push(Example { photo: id, token, class, at: Some(*at) });
        }
    }

    /// A map over its photograph.
    pub(super) fn over(&self, id: u32, map: &Map) -> Picture {
        let photo = self.album.photo(id).unwrap();
        map.over(&photo.picture, photo.region, map.opacity, map.edges).unwrap()
    }
}

/// What `internvit look` makes of a photograph: its picture and the view's values.
fn look(photo: &Path, view: &str, more: &[&str]) -> (Picture, Tensor) {
    // Tests run side by side: each call has a folder of its own.
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let folder = scratch(&format!("app-look-{}", CALLS.fetch_add(1, Ordering::Relaxed)));
    let (out, data) = (folder.join("v.png"), folder.join("v.safetensors"));
    let args = ["look", text(photo), "--view", view, "--image-size", "56", "--device", "cpu"];
    let written = ["--out", text(&out), "--data", text(&data)];
    ok(&[&args[..], &written, more].concat());
    (picture(&out), tensors(&data).remove(view).unwrap())
}

pub(super) fn picture(file: &Path) -> Picture {
    decode("picture", &std::fs::read(file).unwrap()).unwrap()
}

/// A photograph of which the right half is transparent.
fn half_transparent(folder: &Path) -> PathBuf {
    let cat = picture(&sample("chelsea.png"));
    let file = folder.join("half.png");
    let pixels = cat.rgb.as_chunks::<3>().0.iter().enumerate();
    let rgba: Vec<u8> = pixels
        .flat_map(|(at, [r, g, b])| {
            let shown = at as u32 % cat.width < cat.width / 2;
            [*r, *g, *b, 255 * u8::from(shown)]
        })
        .collect();
    image::save_buffer(&file, &rgba, cat.width, cat.height, image::ExtendedColorType::Rgba8)
        .unwrap();
    file
}

#[test]
fn every_view_is_the_command_lines_to_the_byte() {
    let mut session = Session::open();
    let cat = sample("chelsea.png");
    let half = half_transparent(&scratch("app-half"));
    let squash = session.add(&cat, None, 1);
    let native = session.add(&cat, Some(Resize::Native), 1);
    let crop = session.add(&cat, Some(Resize::Crop), 1);
    let clear = session.add(&half, None, 1);
    let at = |id: u32, point| session.patch(id, point);
    let (middle, corner) = (at(squash, [220, 120]), at(crop, [300, 299]));
    let white: &[&str] = &["--background", "white"];
    let cases: [(u32, serde_json::Value, &[&str]); 14] = [
        (squash, json!({"view": "pca"}), &[]),
        (native, json!({"view": "pca", "layer": 4}), &["--layer", "4", "--resize", "native"]),
        (
            squash,
            json!({"view": "pca", "layer": 0, "foreground": true, "basis": "own"}),
            &["--layer", "0", "--foreground"],
        ),
        (squash, json!({"view": "similarity", "token": middle}), &["--at", "220,120"]),
        (
            crop,
            json!({"view": "similarity", "layer": 3, "token": corner, "of": crop}),
            &["--at", "300,299", "--layer", "3", "--resize", "crop"],
        ),
        (squash, json!({"view": "attention", "layer": 1, "token": null}), &["--layer", "1"]),
        (
            squash,
            json!({"view": "attention", "head": 2, "token": middle}),
            &["--head", "2", "--at", "220,120"],
        ),
        (squash, json!({"view": "rollout", "layer": 3}), &["--layer", "3"]),
        (native, json!({"view": "rollout"}), &["--resize", "native"]),
        (squash, json!({"view": "clusters"}), &[]),
        (
            squash,
            json!({"view": "clusters", "layer": 5, "k": 2}),
            &["--layer", "5", "--clusters", "2"],
        ),
        (squash, json!({"view": "norms", "layer": 12}), &["--layer", "12"]),
        (clear, json!({"view": "pca"}), white),
        (clear, json!({"view": "clusters", "k": 3}), &["--background", "white", "--clusters", "3"]),
    ];
    for (id, request, flags) in cases {
        let view = request["view"].as_str().unwrap();
        let map = session.view(id, request.clone()).unwrap();
        let mut own = session.over(id, &map);
        if let Some(point) = flags.iter().skip_while(|flag| **flag != "--at").nth(1) {
            let (x, y) = point.split_once(',').unwrap();
            mark(&mut own, [x.parse().unwrap(), y.parse().unwrap()]);
        }
        let photo = if id == clear { &half } else { &cat };
        let (picture, data) = look(photo, view, flags);
        assert!(picture == own, "{request}: the pictures differ");
        let one = flags.contains(&"--head");
        let values = if one { map.shown() } else { &map.values };
        assert!(data.values == values, "{request}: the values differ");
        assert!(one || data.shape == map.shape, "{request}: {:?}", data.shape);
    }
}

#[test]
fn what_several_photographs_share_is_the_command_lines() {
    let folder = scratch("app-shared");
    let mut session = Session::open();
    let (cat, rocket) = (sample("chelsea.png"), sample("rocket.jpg"));
    let (own, other) = (session.add(&cat, None, 1), session.add(&rocket, None, 1));
    // A patch of one photograph beside the other.
    let token = session.patch(own, [220, 120]);
    let map =
        session.view(other, json!({"view": "similarity", "token": token, "of": own})).unwrap();
    let (mut left, mut right) = (picture(&cat), session.over(other, &map));
    let there = session.album.photo(other).unwrap();
    let place = patch_centre(map.best.unwrap(), there.grid(), &there.picture, there.region);
    mark(&mut left, [220, 120]);
    mark(&mut right, place.unwrap());
    let flags = ["--at", "220,120", "--other", text(&rocket)];
    let (both, data) = look(&cat, "similarity", &flags);
    assert!(both == beside(&left, &right).unwrap() && data.values == map.values);
    // The colours of one photograph on the other.
    session.view(own, json!({"view": "pca", "layer": 6, "basis": "keep"})).unwrap();
    let kept = session.view(other, json!({"view": "pca", "layer": 6, "basis": "kept"})).unwrap();
    let basis = folder.join("basis.safetensors");
    look(&cat, "pca", &["--layer", "6", "--save-basis", text(&basis)]);
    let (painted, data) = look(&rocket, "pca", &["--layer", "6", "--basis", text(&basis)]);
    assert!(painted == session.over(other, &kept) && data.values == kept.values);
    assert_eq!(kept.basis, session.album.basis);
    let fresh = session.view(other, json!({"view": "pca", "layer": 6})).unwrap();
    assert_ne!(fresh.values, kept.values, "its own colours are others");
}

#[test]
fn segmentation_is_the_command_lines() {
    let out = scratch("app-segment").join("map.png");
    let cat = sample("chelsea.png");
    let mut session = Session::open();
    let id = session.add(&cat, Some(Resize::Native), 1);
    let args =
        ["segment", text(&cat), "--device", "cpu", "--window", "56", "--picture", text(&out)];
    let spec = session.encoder.spec().clone();
    let head = session.encoder.checkpoint().head.as_ref().unwrap().spec.clone();
    let photo = picture(&cat);
    for (whole, more) in [(false, vec!["--stride", "42"]), (true, vec!["--whole"])] {
        ok(&[&args[..], &more].concat());
        let stride = Some(42).filter(|_| !whole);
        let windows = Windows::new(&spec, &head, Some(56), stride, whole).unwrap();
        let cover = windows.cover(&photo).unwrap();
        let canvas = wait(cover.segment(&mut session.encoder, &head, &mut on)).unwrap();
        let labels = canvas.labels([300, 451]).unwrap();
        let palette = internvit::app::class_palette(&head);
        let own = paint_labels(&labels, &palette, &photo, 0.6).unwrap();
        assert!(picture(&out) == own, "whole: {whole}");
    }
    // Of the features that are there, the same but for rounding.
    let map = session.view(id, json!({"view": "segmentation"})).unwrap();
    let mut held = map;
    held.edges = Edges::Smooth;
    let (whole, held) = (picture(&out), session.over(id, &held));
    let pairs = whole.rgb.as_chunks::<3>().0.iter().zip(held.rgb.as_chunks::<3>().0);
    let same = pairs.filter(|(a, b)| a == b).count();
    assert!(same * 1000 >= 451 * 300 * 999, "{same} of {}", 451 * 300);
}

#[test]
fn tiles_are_one_grid() {
    let mut session = Session::open();
    let id = session.add(&sample("chelsea.png"), None, 6);
    let grid @ [rows, cols] = session.album.photo(id).unwrap().grid();
    assert_eq!(grid, [7, 10], "two by three tiles");
    for (request, shape) in [
        (json!({"view": "pca"}), vec![rows, cols, 3]),
        (json!({"view": "attention", "token": 69}), vec![4, rows, cols]),
        (json!({"view": "rollout"}), grid.to_vec()),
        (json!({"view": "clusters"}), grid.to_vec()),
    ] {
        let map = session.view(id, request.clone()).unwrap();
        assert_eq!(map.shape, shape, "{request}");
        assert_eq!(map.rgba.len(), 4 * rows * cols, "{request}");
        if request["view"] == "attention" {
            // A patch sees its own tile.
            let seen = |at: usize| at / cols >= 3 && at % cols >= 6;
            assert!(map.shown().iter().enumerate().all(|(at, v)| (*v > 0.0) == seen(at)));
        }
    }
}

#[test]
fn requests_are_one_object_and_come_back() {
    for (name, _) in VIEWS {
        let request = Request::named(name).unwrap();
        let said = serde_json::to_value(&request).unwrap();
        assert_eq!(said["view"], *name);
        assert_eq!(serde_json::from_value::<Request>(said).unwrap(), request);
        assert_eq!(request.name(), *name);
    }
    let pages = [
        json!({"view": "pca", "layer": 6, "foreground": true, "swap": true, "basis": "keep"}),
        json!({"view": "similarity", "layer": 0, "token": 3, "centred": true, "of": 2}),
        json!({"view": "attention", "layer": 12, "token": 5, "head": 0}),
        json!({"view": "rollout", "layer": 1, "token": 0}),
        json!({"view": "clusters", "layer": 2, "k": 9}),
    ];
    for page in pages {
        let request: Request = serde_json::from_value(page.clone()).unwrap();
        assert_eq!(serde_json::to_value(&request).unwrap(), page);
    }
    let taps = |request| serde_json::from_value::<Request>(request).unwrap().needs().taps(12);
    assert_eq!(taps(json!({"view": "words", "text": "a"})), [11, 12]);
    assert_eq!(taps(json!({"view": "norms"})), [0; 0]);
    assert_eq!(taps(json!({"view": "norms", "layer": 3})), [3]);
    assert_eq!(taps(json!({"view": "attention", "layer": 3})), [2]);
    assert_eq!(taps(json!({"view": "attention"})), [11]);
    assert_eq!(taps(json!({"view": "rollout", "layer": 3})), [0, 1, 2]);
    let wrong = [
        (json!({"view": "heat"}), "view \"heat\": expected one of pca, similarity"),
        (json!({"layer": 1}), "expected one of pca"),
        (json!({"view": "norms", "token": 1}), "view norms: no setting token; it has layer"),
        (json!({"view": "norms", "layer": "x"}), "layer: expected a whole number, found x"),
        (json!({"view": "norms", "layer": -1}), "out of range"),
        (json!({"view": "pca", "foreground": 1}), "foreground: expected true or false, found 1"),
        (json!({"view": "pca", "basis": "mine"}), "basis: expected own, keep, kept, found mine"),
        (json!({"view": "pca", "layer": [1]}), "a whole number or a word"),
    ];
    for (request, expected) in wrong {
        let error = serde_json::from_value::<Request>(request.clone()).unwrap_err().to_string();
        assert!(error.contains(expected), "{request}: {error}");
    }
}

#[test]
fn settings_that_a_photograph_or_model_has_not_are_errors() {
    let mut session = Session::open();
    let id = session.add(&sample("chelsea.png"), None, 1);
    for (request, expected) in [
        (json!({"view": "clusters", "k": 1}), "1 clusters: expected 2 to 32"),
        (json!({"view": "clusters", "k": 33}), "33 clusters: expected 2 to 32"),
        (json!({"view": "attention", "head": 3}), "head 3: the model has 3"),
        (json!({"view": "attention", "layer": 0}), "block 0: the model has blocks 1 to 12"),
        (json!({"view": "rollout", "layer": 13}), "block 13: the model has blocks 1 to 12"),
        (json!({"view": "rollout", "token": 16}), "no patch 16"),
        (json!({"view": "similarity", "token": 16}), "no patch 16"),
        (json!({"view": "similarity"}), "the patch to compare with is missing"),
        (json!({"view": "similarity", "token": 0, "of": 7}), "photograph 7 has been let go"),
        (json!({"view": "norms", "layer": 13}), "no tensor called hidden_states.13"),
        (json!({"view": "taught"}), "nothing has been taught yet"),
    ] {
        refused(&request.to_string(), session.view(id, request.clone()).map(drop), expected);
    }
    refused("another", session.view(9, json!({"view": "pca"})).map(drop), "photograph 9");
    // Inputs whose lengths do not agree are errors for every view, and no panic.
    let seen = [true; 4];
    let basis = PcaBasis::fit(&[1.0; 6], 3).unwrap();
    for (name, _) in VIEWS {
        let request = Request::named(name).unwrap();
        let inputs = Inputs { basis: Some(&basis), ..Inputs::default() };
        assert!(render(&request, &inputs).is_err(), "{name}: nothing");
        let inputs = Inputs { grid: [2, 2], seen: &seen, channels: 3, ..inputs };
        assert!(render(&request, &inputs).is_err(), "{name}: no tokens");
        let inputs = Inputs { tokens: &[1.0; 11], attention: &[1.0; 3], ..inputs };
        assert!(render(&request, &inputs).is_err(), "{name}: too few");
    }
}

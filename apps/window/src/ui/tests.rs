//! The window without a screen: driven by its keys and by the names of its parts, with a real engine on the CPU.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::egui::{Context, DroppedFile, Key, Modifiers, Role, Ui, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use internvit::gpu::Precision;
use internvit::{Checkpoint, Device, Model, Picture};

use super::App;
use crate::state::views::View;
use crate::talk::{Detail, Opening, Place, Save, Texts};

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../www/samples").join(name)
}

struct Driven(Harness<'static, Option<App>>);

impl Driven {
    /// A window over samples, with InternViT-Tiny, and few patches.
    fn over(names: &'static [&'static str]) -> Self {
        Self::with("internvit-tiny".into(), names)
    }

    /// The same with another model.
    fn with(model: String, names: &'static [&'static str]) -> Self {
        Self::scaled(model, names, 1.0)
    }

    /// The same on a screen with so many pixels a point.
    fn scaled(model: String, names: &'static [&'static str], scale: f32) -> Self {
        let show = move |ui: &mut Ui, app: &mut Option<App>| {
            let app = app.get_or_insert_with(|| start(ui.ctx(), &model, names));
            app.show(ui);
        };
        let builder = Harness::builder().with_size(Vec2::new(1100.0, 760.0));
        let builder = builder.with_pixels_per_point(scale);
        let mut harness = builder.build_ui_state(show, None);
        harness.step();
        Self(harness)
    }

    fn app(&mut self) -> &mut App {
        self.0.state_mut().as_mut().unwrap()
    }

    /// Goes on until something is so.
    fn until(&mut self, what: &str, so: impl Fn(&App) -> bool) {
        let start = Instant::now();
        while !so(self.app()) {
            let status = self.app().desk.status.text.clone();
            assert!(start.elapsed() < Duration::from_secs(120), "{what}: {status}");
            std::thread::sleep(Duration::from_millis(10));
            self.0.step();
        }
        self.0.step();
    }

    /// Goes on until the view is there that was asked for last.
    fn shown(&mut self, view: View) {
        self.0.step();
        self.until(view.about().title, |app| {
            assert!(!app.desk.status.trouble, "{}", app.desk.status.text);
            app.desk.look.view == view && app.desk.shown.is_some() && app.desk.settled()
        });
    }

    fn drop_on(&mut self, paths: &[PathBuf]) {
        for path in paths {
            self.0.input_mut().dropped_files.push(Arc::new(Dropped(path.clone())));
        }
        self.0.step();
    }

    fn key(&mut self, key: Key) {
        self.0.key_press(key);
        self.0.step();
    }
}

fn start(ctx: &Context, model: &str, names: &[&str]) -> App {
    let place = Place { device: Device::Cpu, precision: Precision::F32 };
    let opening = Opening { model: model.into(), words: false, offline: true, place };
    let mut app =
        App::new(ctx, None, opening, names.iter().map(|name| sample(name)).collect(), None);
    app.desk.look.detail = Detail::Quick;
    app
}

#[test]
fn a_photograph_is_shown_and_keys_change_the_view() {
    let mut window = Driven::over(&["coffee.png", "rocket.jpg"]);
    window.shown(View::Pca);
    let colours = window.app().desk.shown.as_ref().unwrap().paint.clone().unwrap();
    assert_eq!((colours.width, colours.height), (600, 400), "edges are those of the photograph");
    window.0.get_by_label("Picture coffee.png");
    for (key, view) in
        [(Key::Num3, View::Clusters), (Key::Num6, View::Norms), (Key::Num7, View::Segmentation)]
    {
        window.key(key);
        window.shown(view);
        let shown = window.app().desk.shown.as_ref().unwrap();
        assert!(
            shown.map.is_some() && shown.paint.as_ref().is_some_and(|paint| *paint != colours),
            "{view:?}"
        );
    }
    window.key(Key::ArrowRight);
    window.shown(View::Segmentation);
    window.0.get_by_label("Picture rocket.jpg");
    window.key(Key::Num5);
    window.shown(View::Attention);
    assert!(window.app().desk.status.text.contains("the class token gives patches"));
    window.key(Key::ArrowDown);
    window.shown(View::Attention);
    let layers = window.app().desk.known().unwrap().layers;
    assert_eq!(window.app().desk.look.layer, Some(layers - 1));
}

#[test]
fn parts_of_the_panel_are_found_by_their_names() {
    let mut window = Driven::over(&["coffee.png"]);
    window.shown(View::Pca);
    window.0.get_by_label("Foreground only").click();
    window.shown(View::Pca);
    assert!(window.app().desk.look.foreground);
    window.0.get_by_label("patches").click();
    window.shown(View::Pca);
    let paint = window.app().desk.shown.as_ref().unwrap().paint.clone().unwrap();
    assert!(paint.squares && paint.width < 60);
    // This model has no words, and says so.
    window.0.get_by_label("Words").click();
    window.0.step();
    window.0.get_by_label_contains("This model never learned words");
    window.0.get_by_label("Choose a model that can").click();
    window.0.run_steps(3);
    for name in Checkpoint::BUILT_IN {
        window.0.get_by_label(name);
    }
    assert!(window.app().listing);
}

#[test]
fn a_click_finds_what_is_alike_and_esc_lets_go() {
    let mut window = Driven::over(&["coffee.png"]);
    window.key(Key::Num2);
    window.shown(View::Similarity);
    window.0.get_by_label("Click any place.");
    window.0.get_by_label("Picture coffee.png").click();
    window.0.step();
    window.shown(View::Similarity);
    let shown = window.app().desk.shown.as_ref().unwrap();
    let map = shown.map.as_ref().unwrap();
    let middle = map.height / 2 * map.width + map.width / 2;
    assert!(
        map.values[middle] > 0.99,
        "the patch that was clicked is the most alike: {}",
        map.values[middle]
    );
    window.key(Key::Escape);
    window.shown(View::Similarity);
    assert!(window.app().desk.look.pins.is_empty());
    assert!(window.app().desk.shown.as_ref().unwrap().map.is_none());
}

#[test]
fn a_lesson_is_painted_learned_and_saved() {
    let mut window = Driven::over(&["coffee.png"]);
    window.key(Key::Num4);
    window.shown(View::Teach);
    window.0.get_by_label("Click or paint some of object.");
    window.0.get_by_label("Picture coffee.png").click();
    window.0.step();
    window.shown(View::Teach);
    window.0.get_by_label("Now click or paint some of background (key 2).");
    window.key(Key::Num2);
    // A corner of the photograph, far from the cup.
    window.app().desk.press([8.0, 8.0], false);
    window.app().desk.lift();
    window.shown(View::Teach);
    let taught = window.app().desk.taught.clone().unwrap();
    assert_eq!(taught.names, ["object", "background"]);
    assert!(window.app().desk.status.text.starts_with("Learned from 2 patches on layers"));
    let paint = window.app().desk.shown.as_ref().unwrap().paint.clone().unwrap();
    let pixel = |x: usize, y: usize| {
        <[u8; 3]>::try_from(&paint.rgba[4 * (y * paint.width + x)..][..3]).unwrap()
    };
    assert_eq!(pixel(8, 8), taught.palette[1]);
    assert_eq!(pixel(300, 200), taught.palette[0]);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let (head, mask, picture) = (file("taught.safetensors"), file("mask.png"), file("view.png"));
    for save in [
        Save::Head { to: head.clone() },
        Save::Mask { to: mask.clone() },
        Save::Picture { to: picture.clone(), opacity: 60 },
    ] {
        let to = save.to().clone();
        window.app().desk.save(save);
        window.until("a file", move |_| to.exists());
    }
    window.key(Key::Z); // without Ctrl it means nothing
    window.0.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.shown(View::Teach);
    assert!(window.app().desk.taught.is_none(), "one class is left");
    window.app().desk.load(head);
    window.until("the head", |app| app.desk.loaded);
    window.shown(View::Teach);
    assert_eq!(window.app().desk.taught.as_ref().unwrap().patches, 0);
    // A photograph that is open is never written.
    window.app().desk.save(Save::Picture { to: sample("coffee.png"), opacity: 60 });
    window.until("the refusal", |app| app.desk.status.trouble);
    assert!(window.app().desk.status.text.contains("is open here"));
}

#[test]
fn what_cannot_be_opened_is_told_in_one_line() {
    let mut window = Driven::over(&["coffee.png"]);
    window.shown(View::Pca);
    window.app().desk.add(vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")]);
    window.until("the file", |app| app.desk.status.trouble);
    assert!(window.app().desk.status.text.contains("Cargo.toml"));
    window.app().desk.status = Default::default();
    window.app().open_model("no/such/model");
    window.until("the model", |app| app.desk.status.trouble && app.desk.known().is_some());
    assert!(!window.app().desk.status.text.contains('\n'));
    // And the window goes on with the one that it has.
    window.app().desk.status = Default::default();
    let first = window.app().desk.shots.list[0].id;
    window.app().desk.choose(first);
    window.shown(View::Pca);
}

/// A small CLIP of random weights, with what makes tokens of texts beside it.
fn clip(folder: &Path) -> String {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/clip_quick_gelu");
    for file in ["config.json", "model.safetensors", "preprocessor_config.json"] {
        std::fs::copy(golden.join(file), folder.join(file)).unwrap();
    }
    let tokenizer = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "a": 3, "photo": 4, "of": 5, "cat": 6, "dog": 7},
        "unk_token": "[UNK]"}}"#;
    std::fs::write(folder.join("tokenizer.json"), tokenizer).unwrap();
    folder.display().to_string()
}

#[test]
fn a_model_that_reads_texts_shows_words_and_labels() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = Driven::with(clip(folder.path()), &["coffee.png"]);
    window.shown(View::Pca);
    window.key(Key::Num9);
    window.shown(View::Words);
    assert!(window.app().desk.shown.as_ref().unwrap().map.is_none());
    window.0.get_by_label("Write what to look for.");
    window.0.get_by_role_and_label(Role::TextInput, "Look for").focus();
    window.0.step();
    window.0.get_by_role_and_label(Role::TextInput, "Look for").type_text("a cat");
    window.0.step();
    window.shown(View::Words);
    let status = window.app().desk.status.text.clone();
    assert!(status.starts_with("Cosines with “a cat” run from"), "{status}");
    // Digits are text as long as the field has the keyboard.
    window.app().desk.view(View::Labels);
    window.shown(View::Labels);
    let labels = window.app().desk.shown.as_ref().unwrap().labels.clone();
    let sum: f32 = labels.iter().map(|guess| guess.probability).sum();
    assert!(labels.len() == 5 && (sum - 1.0).abs() < 1e-4, "{labels:?}");
    assert!(labels.iter().any(|guess| guess.name == "a photo of a cup of coffee"));
}

/// A file that is dropped on the window.
#[derive(Debug)]
struct Dropped(PathBuf);

impl DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|e| e.to_string())
    }
}

#[test]
fn files_and_folders_are_dropped_and_a_folder_of_a_model_is_opened() {
    let mut window = Driven::over(&[]);
    window.until("the model", |app| app.desk.known().is_some());
    window.drop_on(&[sample("rocket.jpg")]);
    window.shown(View::Pca);
    window.0.get_by_label("Picture rocket.jpg");
    window.drop_on(&[sample("")]);
    let names: Vec<String> =
        window.app().desk.shots.list.iter().map(|shot| shot.name.clone()).collect();
    assert!(names.len() >= 5 && names.contains(&"coffee.png".into()), "{names:?}");
    let folder = tempfile::tempdir().unwrap();
    let name = clip(folder.path());
    window.drop_on(&[folder.path().into()]);
    window.until("the model", move |app| app.desk.known().is_some_and(|known| known.name == name));
}

#[test]
fn what_was_learned_is_dropped_and_a_model_that_cannot_be_opened_takes_nothing_away() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let photo = Picture::open(sample("coffee.png")).unwrap();
    let model = Model::options().device("cpu").open("internvit-tiny").unwrap();
    let lesson = model.teach(&photo).point("cup", [300, 200]).point("table", [8, 8]);
    std::fs::write(file("taught.safetensors"), lesson.fit().unwrap().to_bytes().unwrap()).unwrap();
    std::fs::write(file("broken.safetensors"), b"no weights").unwrap();
    std::fs::copy(sample("../models/internvit-tiny/config.json"), file("config.json")).unwrap();
    let mut window = Driven::over(&["coffee.png"]);
    window.shown(View::Pca);
    window.drop_on(&[file("taught.safetensors")]);
    window.until("the head", |app| app.desk.loaded);
    window.shown(View::Teach);
    assert_eq!(window.app().desk.taught.as_ref().unwrap().names, ["cup", "table"]);
    let tiny = |app: &App| app.desk.known().is_some_and(|known| known.name == "internvit-tiny");
    for (name, why) in [
        ("broken.safetensors", "broken.safetensors"),
        ("talk.gguf", "talk.gguf is a language model's, which `internvit chat` takes."),
        ("old.ckpt", "old.ckpt is not read: of PyTorch's files .pth and .bin are"),
    ] {
        window.app().desk.status = Default::default();
        window.drop_on(&[file(name)]);
        window.until(name, |app| app.desk.status.trouble);
        let said = window.app().desk.status.text.clone();
        assert!(said.contains(why) && !said.contains('\n'), "{said}");
        assert!(tiny(window.app()) && window.app().desk.loaded && window.app().desk.settled());
    }
    // Its files are good, and the device takes it not: by then the one before was let go, and is opened again.
    let place = Place { device: Device::Cpu, precision: Precision::F16 };
    let opening = window.app().desk.opening().clone();
    window.app().desk.open_model(Opening { model: "dinov2-small".into(), place, ..opening });
    window.until("the model before", move |app| tiny(app) && app.desk.settled());
    let status = window.app().desk.status.clone();
    assert!(status.trouble && status.text.contains("f32"), "{}", status.text);
}

#[test]
fn files_of_a_model_are_dropped_together() {
    let mut window = Driven::over(&["coffee.png"]);
    window.shown(View::Pca);
    let folder = tempfile::tempdir().unwrap();
    clip(folder.path());
    let file = |name: &str| folder.path().join(name);
    let files = ["config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json"];
    window.drop_on(&files.map(file));
    let name = file("model.safetensors").display().to_string();
    window.until("the model", move |app| app.desk.known().is_some_and(|known| known.name == name));
    window.shown(View::Pca);
    assert_eq!(window.app().desk.known().unwrap().texts, Texts::Read);
    assert_eq!(window.app().desk.shots.list.len(), 1);
}

/// A screen with two pixels a point: places are the same.
#[test]
fn fine_screens_show_and_take_the_same_places() {
    let pinned = |scale| {
        let mut window = Driven::scaled("internvit-tiny".into(), &["coffee.png"], scale);
        window.key(Key::Num2);
        window.shown(View::Similarity);
        assert_eq!(window.0.ctx.pixels_per_point(), scale);
        window.0.get_by_label("Picture coffee.png").click();
        window.0.step();
        window.shown(View::Similarity);
        let rect = window.0.get_by_label("Picture coffee.png").rect();
        let map = window.app().desk.shown.as_ref().unwrap().map.clone().unwrap();
        (window.app().desk.look.pins[0].at, rect, map.values)
    };
    assert_eq!(pinned(2.0), pinned(1.0));
}

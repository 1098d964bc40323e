//! [`internvit::Model`]: what the examples do not show.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Mutex;

use crate::common::*;
use internvit::api::Cancel;
use internvit::image::{Picture, Resize, decode};
use internvit::weights::{Source, StoredType, init_checkpoint};
use internvit::{
    Checkpoint, Device, Encoder, Error, Images, Method, Model, PhotoSource, ViewRequest, Words,
    wgpu,
};

fn bundled() -> Model {
    Model::options().device("cpu").open("bundled").unwrap()
}

#[test]
fn a_model_is_shared_by_threads() {
    fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    shared(&bundled());
}

/// The names of the models that come as crates are those of the other programs; "bundled" is the smaller here.
#[test]
fn models_have_names() {
    let opened = |name| Model::options().device("cpu").open(name).unwrap();
    let told = |model: &Model| (model.name().to_string(), model.spec().sizes.hidden);
    assert_eq!(told(&opened("dinov2-small")), ("dinov2-small".into(), 384));
    assert_eq!(told(&opened("internvit-tiny")), ("internvit-tiny".into(), 192));
    assert_eq!(told(&bundled()), told(&opened("internvit-tiny")));
}

/// The façade gives what the encoder gives.
#[test]
fn features_are_the_encoders() {
    let model = bundled();
    let photo = Picture::open(sample("chelsea.png")).unwrap();
    let set =
        model.features().layers([6, -1]).size(224).pictures(std::slice::from_ref(&photo)).unwrap();
    let checkpoint = wait(Checkpoint::bundled()).unwrap();
    let mut encoder = wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap();
    let fitted = Resize::Squash.fit(&photo, 224, 14).unwrap();
    let images = Images::Pictures(std::slice::from_ref(&fitted));
    let expected = wait(
        encoder.encode(images, &[6, 12], &mut async |_, _| std::ops::ControlFlow::Continue(())),
    )
    .unwrap();
    assert_eq!(set[0].pooled(), expected.tensors["pooler_output"].values);
    for (layer, name) in
        [(6, "hidden_states.6"), (12, "hidden_states.12"), (-1, "hidden_states.12")]
    {
        let patches = expected.tokens(name, 1..).unwrap();
        let tokens = set[0].hidden(layer).unwrap();
        assert_eq!(tokens.values(), patches.values, "{layer}");
        assert_eq!(tokens.at(15, 15), Some(&patches.values[255 * 192..]));
        assert_eq!(tokens.at(16, 0), None);
        assert_eq!(tokens.to_ndarray().shape(), [16, 16, 192]);
    }
    let error = set[0].hidden(3).err().unwrap().to_string();
    assert_eq!(error, "layer 3: asked for were 6, 12");
}

/// One that cannot be read costs only itself, and progress counts photographs.
#[test]
fn bad_photographs_cost_only_themselves() {
    let folder = scratch("photos");
    let whole = std::fs::read(sample("chelsea.png")).unwrap();
    std::fs::create_dir(folder.join("below")).unwrap();
    for name in ["a.png", "below/c.png"] {
        std::fs::write(folder.join(name), &whole).unwrap();
    }
    std::fs::write(folder.join("b.png"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(folder.join("notes.txt"), "no photograph").unwrap();
    let seen = Mutex::new(Vec::new());
    let report = |done, of| seen.lock().unwrap().push((done, of));
    let set = bundled().features().batch(1).progress(report).folder(&folder).unwrap();
    let names: Vec<&str> = set.iter().map(|photo| photo.name()).collect();
    assert!(names[0].ends_with("a.png") && names[1].ends_with("c.png"), "{names:?}");
    let [(name, Error::Image { reason, .. })] = set.failed() else { panic!("{:?}", set.failed()) };
    assert!(name.ends_with("b.png") && reason.contains("cut off"), "{reason}");
    assert_eq!(seen.lock().unwrap().last(), Some(&(3, 3)));
}

#[test]
fn work_is_cancelled() {
    let cancel = Cancel::default();
    cancel.cancel();
    let error = Model::options().device("cpu").cancel(&cancel).open("bundled").err().unwrap();
    assert_eq!(error.kind(), "cancelled");
    let photo = Picture::noise(28).unwrap();
    let error = bundled().features().cancel(&cancel).picture(&photo).err().unwrap();
    assert_eq!(error.kind(), "cancelled");
}

/// A model that was told to stop ends each of its calls, and its clones go on.
#[test]
fn calls_end_where_they_are_told() {
    let (model, photo, cancel) = (bundled(), Picture::noise(28).unwrap(), Cancel::default());
    let until = model.until(&cancel);
    let teach = |model: &Model| model.teach(&photo).point("a", [1, 1]).point("b", [20, 20]).fit();
    let head = teach(&until).unwrap();
    cancel.cancel();
    for (call, result) in [
        ("features", until.features().picture(&photo).map(drop)),
        ("keep", until.features().keep(&photo).map(drop)),
        ("look", until.look(&photo).view("pca").map(drop)),
        ("teach", teach(&until).map(drop)),
        ("segment", until.segment(&photo).map(drop)),
        ("segment_with", until.segment_with(&head, &photo).map(drop)),
        ("classify", until.classify(&photo).map(drop)),
    ] {
        assert_eq!(result.unwrap_err().kind(), "cancelled", "{call}");
    }
    model.look(&photo).view("pca").unwrap();
}

/// Where it is told in the middle of a call that ends at its next block.
#[test]
fn a_call_ends_in_its_middle() {
    let (photo, cancel) = (Picture::open(sample("chelsea.png")).unwrap(), Cancel::default());
    let until = bundled().until(&cancel);
    let ends = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        cancel.cancel();
    });
    let error = until.look(&photo).size(896).shifts(4).view("pca").err().unwrap();
    assert_eq!(error.kind(), "cancelled");
    ends.join().unwrap();
}

#[test]
fn what_is_not_there_is_named() {
    let open = |name: &str| Model::open(name).err().unwrap().to_string();
    assert!(open("nowhere").starts_with("nowhere: no such file or folder"), "{}", open("nowhere"));
    let model = bundled();
    let photo = Picture::noise(56).unwrap();
    let error = model.look(&photo).view("pcaa").err().unwrap().to_string();
    assert!(error.starts_with("view \"pcaa\": expected one of pca"), "{error}");
    let error = model.features().layers([13]).picture(&photo).err().unwrap();
    assert_eq!(error.kind(), "input", "{error}");
    let error = model.teach(&photo).point("a", [1, 1]).fit().err().unwrap().to_string();
    assert_eq!(error, "points of at least two classes are needed");
    let error = model.teach(&photo).point("a", [99, 1]).fit().err().unwrap().to_string();
    assert!(error.starts_with("99,1: outside the photograph"), "{error}");
    let error = Picture::from_rgb(2, 2, vec![0; 7]).err().unwrap();
    assert_eq!(error.kind(), "input", "{error}");
    // The thread goes on after errors.
    assert_eq!(model.segment(&photo).unwrap().labels.len(), 56 * 56);
}

/// A lesson segments the photographs that it is about, and what it finds follows edges.
#[test]
fn a_lesson_segments_its_photographs() {
    let model = bundled();
    let photo = Picture::open(sample("chelsea.png")).unwrap();
    let teach = || model.teach(&photo).point("cat", [225, 150]).point("wall", [440, 10]).size(112);
    let (head, found) = teach().segment().unwrap();
    assert_eq!((head.method, &head.layers[..]), (Method::Walk, &[8, 12][..]));
    assert_eq!(head, teach().fit().unwrap());
    let [found] = &found[..] else { panic!("one photograph") };
    let at = |x: usize, y: usize| y * 451 + x;
    let [cat, wall] = [at(225, 150), at(440, 10)];
    assert_eq!([found.labels[cat], found.labels[wall]], [0, 1]);
    let (p, unsure) = (found.probability("cat").unwrap(), found.unsure().unwrap());
    assert!(p[cat] > 0.6 && p[wall] < 0.4, "{} {}", p[cat], p[wall]);
    assert!((unsure[cat] - (2.0 - 2.0 * p[cat])).abs() < 0.1, "{} {}", unsure[cat], p[cat]);
    let rgba = found.cut_out("wall").unwrap();
    assert_eq!((rgba[4 * wall + 3] > 128, rgba[4 * cat + 3] < 128), (true, true));
    assert!(found.cut_out("dog").unwrap_err().to_string().contains("class dog"));
    let linear = teach().method(Method::Linear).fit().unwrap();
    assert_eq!((linear.method, &linear.layers[..]), (Method::Linear, &[12][..]));
    assert_eq!(model.segment_with(&head, &photo).unwrap().labels.len(), 451 * 300);
}

/// A failed batch answers each that waited.
#[test]
fn damaged_bytes_are_refused_alone() {
    let model = bundled();
    let whole = std::fs::read(sample("chelsea.png")).unwrap();
    let asked = [&whole[..], b"no picture", &whole[..900], &whole[..]]
        .map(|bytes| model.spawn_features("upload", bytes));
    let answers = asked.map(|answer| wait(answer).map(|features| features.grid()));
    let [Ok([16, 16]), Err(unknown), Err(cut), Ok([16, 16])] = &answers else {
        panic!("{answers:?}")
    };
    assert_eq!((unknown.kind(), cut.kind()), ("image", "image"));
}

/// A photograph whose values overflow costs only itself, whoever's it is encoded with.
#[test]
fn one_that_cannot_be_encoded_costs_only_itself() {
    let folder = scratch("overflow");
    let config = config(64, 2, 128, 2, "");
    init_checkpoint("config.json", &config, 1, StoredType::F32, &folder, &|_, _| ()).unwrap();
    // White passes f32 in the embedding, black is 0 there.
    rewrite(&folder.join("model.safetensors"), &|name, values| {
        if name.contains("patch_embed") && name.ends_with("weight") {
            values.fill(1e37);
        }
    });
    let text = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let preprocessing = r#"{"image_mean": [0, 0, 0], "image_std": [1, 1, 1], "size": 56}"#;
    std::fs::write(folder.join("preprocessor_config.json"), preprocessing).unwrap();
    assert!(text.contains("56"));
    let model = Model::options().device("cpu").batch(4).open(folder.as_path()).unwrap();
    let [white, black] = [255, 0].map(|value| bmp(56, value));
    // They wait together behind other work.
    let (go, wait_for) = std::sync::mpsc::channel::<()>();
    let (busy, is_busy) = std::sync::mpsc::channel();
    let other = model.clone();
    let thread = std::thread::spawn(move || {
        other.with(move |_| {
            busy.send(()).unwrap();
            let _ = wait_for.recv();
            Ok(())
        })
    });
    is_busy.recv().unwrap();
    let asked = [&black, &white, &black].map(|bytes| model.spawn_features("upload", bytes.clone()));
    std::thread::sleep(std::time::Duration::from_millis(500));
    go.send(()).unwrap();
    thread.join().unwrap().unwrap();
    let answers = asked.map(|answer| wait(answer).map(|features| features.grid()));
    let [Ok([4, 4]), Err(error), Ok([4, 4])] = &answers else { panic!("{answers:?}") };
    assert_eq!(error.kind(), "not_finite", "{error}");
    assert_eq!(model.runs(), 4, "three together, then each alone");
}

/// What nobody waits for any more is not encoded.
#[test]
fn what_nobody_waits_for_is_left_out() {
    let model = bundled();
    let bytes = bmp(28, 9);
    drop((0..40).map(|_| model.spawn_features("gone", bytes.clone())).collect::<Vec<_>>());
    wait(model.spawn_features("stays", bytes)).unwrap();
    assert!(model.runs() < 5, "{} runs", model.runs());
}

/// A BMP of one brightness.
fn bmp(side: u32, value: u8) -> Vec<u8> {
    let size = 3 * side * side;
    let mut bytes = b"BM".to_vec();
    for number in [54 + size, 0, 54, 40, side, side, 24 << 16 | 1, 0, size, 0, 0, 0, 0] {
        bytes.extend(u32::to_le_bytes(number));
    }
    bytes.resize((54 + size) as usize, value);
    bytes
}

/// A source that gives less than was asked for is named.
#[test]
fn a_source_of_ones_own_is_checked() {
    let bytes = std::fs::read(root().join("www/models/internvit-tiny/model.safetensors")).unwrap();
    let config =
        std::fs::read_to_string(root().join("www/models/internvit-tiny/config.json")).unwrap();
    let size = bytes.len() as u64;
    let short = Source::ranges("mine.safetensors", size, move |range| {
        let end = if range.start > 1 << 20 { range.end - 1 } else { range.end };
        Ok(bytes[range.start as usize..end as usize].to_vec())
    });
    let opened = Model::options().device("cpu").open(("mine", config, vec![short]));
    let error = opened.err().unwrap().to_string();
    assert!(error.starts_with("mine.safetensors: expected "), "{error}");
}

#[test]
fn pictures_are_saved_and_converted() {
    let photo = Picture::open(sample("chelsea.png")).unwrap();
    let file = scratch("saved").join("copy.png");
    photo.save(&file).unwrap();
    assert!(decode("copy.png", &std::fs::read(&file).unwrap()).unwrap() == photo);
    let other = image::open(&file).unwrap();
    assert!(Picture::from(other.clone()) == photo);
    assert_eq!(image::RgbImage::try_from(photo).unwrap(), other.into_rgb8());
}

/// A model's own classes, all of them; other models say that they have none.
#[test]
fn own_classes() {
    let model = Model::options().device("cpu").open(golden("vit_classification")).unwrap();
    let photo = Picture::open(sample("chelsea.png")).unwrap();
    let guesses = model.classify(&photo).unwrap();
    let sum: f32 = guesses.iter().map(|guess| guess.probability).sum();
    assert!(guesses.len() == 6 && (sum - 1.0).abs() < 1e-5, "{guesses:?}");
    assert!(guesses.is_sorted_by(|a, b| a.probability >= b.probability));
    refused("no classes", bundled().classify(&photo), "no classes of its own");
    refused("no texts", bundled().text(&[Words::default()]), "reads no texts");
    refused("none", model.text::<Words>(&[]), "no texts were given");
    let texts = Model::options().device("cpu").texts(true).open("bundled");
    refused("no tower", texts.map(|_| ()), "reads no texts");
}

/// A model that pools nothing has the patches' mean, and tokens of its channels.
#[test]
fn models_without_a_pooled_token() {
    let model = Model::options().device("cpu").open(golden("paligemma_tower")).unwrap();
    let photo = Picture::open(sample("chelsea.png")).unwrap();
    let features = model.features().picture(&photo).unwrap();
    let [rows, cols, c] = features.patches().shape();
    assert_eq!(
        (features.pooled().len(), c),
        (model.spec().sizes.hidden, model.spec().sizes.hidden)
    );
    let mean = (0..rows * cols).map(|i| f64::from(features.patches().values()[i * c])).sum::<f64>();
    assert!((mean / (rows * cols) as f64 - f64::from(features.pooled()[0])).abs() < 1e-5);
}

/// A photograph is its file, its bytes or its pixels; without its patches what stands for the whole stays.
#[test]
fn photographs_in_all_their_forms() {
    let (model, path) = (bundled(), sample("chelsea.png"));
    let (bytes, pixels) = (std::fs::read(&path).unwrap(), Picture::open(&path).unwrap());
    let forms = [
        PhotoSource::File(path.clone()),
        PhotoSource::Bytes("bytes".into(), bytes),
        PhotoSource::Picture("pixels".into(), pixels),
        PhotoSource::Bytes("no picture".into(), vec![1, 2, 3]),
        PhotoSource::Failed("none".into(), Error::image("none", "it was not there")),
        PhotoSource::Called("nowhere".into(), "nowhere.png".into()),
        PhotoSource::Called("cat".into(), path.clone()),
    ];
    let set = model.features().layers([3]).photos(forms.clone()).unwrap();
    let names: Vec<&str> = set.iter().map(|photo| photo.name()).collect();
    assert_eq!(names, [path.to_str().unwrap(), "bytes", "pixels", "cat"]);
    assert_eq!((set[0].size(), set[0].cls()), ([451, 300], set[0].prefix()));
    assert!(set.iter().all(|photo| photo.cls() == set[0].cls()));
    let (name, error) = &set.failed()[0];
    assert_eq!((name.as_str(), error.kind()), ("no picture", "image"));
    assert_eq!(error.to_string(), format!("no picture: {}", error.reason()));
    let failed: Vec<String> = set.failed().iter().map(|(_, error)| error.to_string()).collect();
    assert_eq!(failed[1], "none: it was not there");
    assert!(failed[2].starts_with("nowhere: "), "{}", failed[2]);
    let bare = model.features().layers([3]).patches(false).photos(forms).unwrap();
    assert_eq!((bare[0].patches().shape(), bare[0].summary()), ([0, 0, 192], set[0].summary()));
    assert_eq!(bare[0].hidden(3).unwrap().values(), set[0].hidden(3).unwrap().values());
    let (photos, failed) = bare.into_parts();
    let (last, hidden) = photos.into_iter().next().unwrap().into_tokens();
    assert_eq!((last.len(), hidden[&3].len(), failed.len()), (192, 257 * 192, 3));
}

/// A layer from the end and a pixel are those that a request names by numbers.
#[test]
fn views_of_a_layer_and_a_pixel() {
    let (model, photo) = (bundled(), Picture::open(sample("chelsea.png")).unwrap());
    let request = |text: &str| serde_json::from_str::<ViewRequest>(text).unwrap();
    let view = |text: &str| model.look(&photo).view(request(text)).unwrap().map.values;
    let at = model.look(&photo).at([220, 120]).layer(-3).view("similarity").unwrap().map.values;
    // 220 of 451 pixels in 16 columns, 120 of 300 in 16 rows.
    assert_eq!(at, view(r#"{"view": "similarity", "token": 103, "layer": 10}"#));
    let last = model.look(&photo).layer(-1).view("attention").unwrap().map.values;
    assert_eq!(last, view(r#"{"view": "attention", "layer": 12}"#));
    let none = model.look(&photo).layer(0).view("attention");
    refused("a block", none.map(|_| ()), "layer 0");
    refused("a pixel", model.look(&photo).at([451, 0]).view("similarity").map(|_| ()), "451,0");
}

/// A model that has threads of its own computes what others compute.
#[test]
fn threads_of_ones_own() {
    let photo = Picture::open(sample("chelsea.png")).unwrap();
    let one = Model::options().device("cpu").threads(1).open("bundled").unwrap();
    let of = |model: &Model| model.features().picture(&photo).unwrap();
    assert_eq!(of(&one).patches().values(), of(&bundled()).patches().values());
    let checkpoint = wait(Checkpoint::bundled()).unwrap();
    assert_eq!(of(&Model::open(checkpoint).unwrap()).grid(), [16, 16]);
}

/// What stays on the device is for shaders of one's own, and holds what is read of it.
#[test]
fn kept_features_are_for_shaders() {
    let model = Model::options().device("gpu").open("bundled").unwrap();
    let photo = Picture::open(sample("chelsea.png")).unwrap();
    let mut kept = model.features().layers([6]).size(56).keep(&photo).unwrap();
    let buffer: &wgpu::Buffer = kept.buffer("hidden_states.6").unwrap();
    let (usage, bytes) = (buffer.usage(), buffer.size());
    assert!(
        usage.contains(wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC),
        "{usage:?}"
    );
    let tensor = kept.tensor("hidden_states.6").unwrap();
    assert_eq!((tensor.shape, bytes), (vec![1, 17, 192], 4 * 17 * 192));
}

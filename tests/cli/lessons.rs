//! Lessons: what is taught by a few points, in the library's room and on the command line.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::app::{Session, picture};
use crate::common::*;
use crate::run::*;
use internvit::app::{Example, Kept, Lesson, Vector};
use internvit::image::Resize;
use internvit::view::{Edges, Refine, Spread};
use internvit::weights::{LinearHead, Method, Source};
use serde_json::json;

#[test]
fn a_lesson_gives_the_command_lines_head_and_picture() {
    let folder = scratch("app-teach");
    let (head, out) = (folder.join("head.safetensors"), folder.join("taught.png"));
    let cat = sample("chelsea.png");
    let mut session = Session::open();
    let id = session.add(&cat, Some(Resize::Native), 1);
    assert!(session.view(id, json!({"view": "taught"})).is_err(), "nothing has been taught");
    let mut lesson = Lesson { layers: vec![4, 12], ..Lesson::default() };
    let points = [("cat", [225, 150]), ("cat", [60, 280]), ("wall", [440, 10])];
    let args = [
        "teach",
        text(&cat),
        "--method",
        "linear",
        "--image-size",
        "56",
        "--device",
        "cpu",
        "--layer",
        "4,12",
    ];
    let mut args: Vec<String> = args.map(String::from).into();
    for (name, point @ [x, y]) in points {
        let (class, token) = (lesson.class(name), session.patch(id, point));
        lesson.examples.push(Example { photo: id, token, class, at: None });
        args.extend(["--point".into(), format!("{name}:{x},{y}")]);
    }
    args.extend(["--out", text(&head), "--picture", text(&out)].map(String::from));
    ok(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let gathered = wait(lesson.gather(&mut session.album, &session.encoder)).unwrap();
    assert_eq!((gathered.channels, gathered.tokens.len()), (2 * 192, 4 * 6 * 2 * 192));
    let taught = lesson.fit(&gathered).unwrap();
    assert!(taught.to_bytes().unwrap() == std::fs::read(&head).unwrap(), "the heads differ");
    session.album.head = Some(taught);
    let map = session.view(id, json!({"view": "taught"})).unwrap();
    let mut smooth = map.clone();
    smooth.edges = Edges::Smooth;
    assert!(picture(&out) == session.over(id, &smooth), "the pictures differ");
    assert_eq!((&map.names[..], map.labels.len()), (&lesson.names[..], 451 * 300));
    assert!((map.shares.iter().sum::<f64>() - 100.0).abs() < 1e-9);
    session.album.forget(id);
    let gone = wait(lesson.gather(&mut session.album, &session.encoder)).unwrap();
    assert!(gone.tokens.is_empty() && gone.examples.is_empty());
}

/// What is kept of photographs that are let go stands for them: their examples in the order in which they
/// were named, and the spread of all their patches.
#[test]
fn a_lesson_is_the_same_once_its_photographs_are_let_go() {
    let mut session = Session::open();
    let photos = ["chelsea.png", "coffee.png", "astronaut.png"];
    let ids = photos.map(|name| session.add(&sample(name), Some(Resize::Native), 1));
    let points = [
        [("thing", [225, 150]), ("rest", [440, 10])],
        [("thing", [300, 180]), ("rest", [30, 30])],
        [("rest", [10, 300]), ("thing", [230, 90])],
    ];
    for method in [Method::Walk, Method::Linear, Method::Mlp] {
        let mut lesson = Lesson { layers: vec![8, 12], method, ..Lesson::default() };
        for (id, points) in ids.iter().zip(&points) {
            session.name(&mut lesson, *id, points);
        }
        let fit = |session: &mut Session, lesson: &Lesson| {
            let gathered = wait(lesson.gather(&mut session.album, &session.encoder)).unwrap();
            lesson.fit(&gathered).unwrap()
        };
        let whole = fit(&mut session, &lesson);
        // Whichever are let go.
        for gone in [&[0][..], &[1], &[0, 1], &[1, 2], &[0, 1, 2]] {
            let mut rest = Lesson { examples: Vec::new(), ..lesson.clone() };
            for (at, id) in ids.iter().enumerate() {
                let own: Vec<Example> =
                    lesson.examples.iter().filter(|e| e.photo == *id).copied().collect();
                if !gone.contains(&at) {
                    rest.examples.extend(own);
                    continue;
                }
                let patches: Vec<usize> = own.iter().map(|example| example.token).collect();
                let Kept { vectors, spread } =
                    wait(session.album.kept(&session.encoder, *id, &patches)).unwrap();
                assert_eq!((&vectors.shape[..], spread.mean.len()), (&[2, 13, 192][..], 13 * 192));
                let part = |all: &[f32]| [&all[8 * 192..9 * 192], &all[12 * 192..]].concat();
                for (example, all) in own.iter().zip(vectors.values.chunks_exact(13 * 192)) {
                    let (features, class, before) = (part(all), example.class, rest.examples.len());
                    rest.vectors.push(Vector { features, class, before });
                }
                let (mean, variance) = (part(&spread.mean), part(&spread.variance));
                rest.spreads.push(Spread { count: spread.count, mean, variance });
            }
            let found = fit(&mut session, &rest);
            let far = |a: &[f32], b: &[f32]| {
                let most = b.iter().fold(0.0f32, |most, v| most.max(v.abs()));
                a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / most
            };
            let (found, whole) = (&found.classifier, &whole.classifier);
            assert!(
                far(&found.mean, &whole.mean) < 1e-6
                    && far(&found.variance, &whole.variance) < 1e-6
            );
            assert!(far(&found.weight, &whole.weight) < 1e-4, "{method:?} without {gone:?}");
        }
    }
    // Of earlier versions there are vectors alone.
    let vector = |class, value| Vector { features: vec![value; 192], class, before: 0 };
    let mut lesson = Lesson {
        layers: vec![12],
        vectors: vec![vector(0, 1.0), vector(1, 2.0)],
        ..Lesson::default()
    };
    lesson.names = ["a", "b"].map(String::from).into();
    assert!(
        lesson.fit(&wait(lesson.gather(&mut session.album, &session.encoder)).unwrap()).is_ok()
    );
    lesson.spreads.push(Spread { count: 3, mean: vec![0.0; 12], variance: vec![1.0; 12] });
    let error = wait(lesson.gather(&mut session.album, &session.encoder)).unwrap_err().to_string();
    assert!(error.contains("12 channels of a photograph, expected 192"), "{error}");
    lesson.spreads = vec![Spread { count: 3, mean: vec![0.0; 192], variance: vec![1.0; 191] }];
    let error = wait(lesson.gather(&mut session.album, &session.encoder)).unwrap_err().to_string();
    assert!(error.contains("191 channels of a photograph, expected 192"), "{error}");
    assert!(wait(session.album.kept(&session.encoder, 99, &[0])).is_err());
    assert!(wait(session.album.kept(&session.encoder, ids[0], &[24])).is_err());
}

/// A patch has one token, so that two classes in it teach nothing.
#[test]
fn two_classes_in_one_patch_are_refused() {
    let out = scratch("app-conflict").join("head.safetensors");
    let cat = sample("chelsea.png");
    let mut session = Session::open();
    let id = session.add(&cat, Some(Resize::Native), 1);
    let mut lesson = Lesson { layers: vec![12], ..Lesson::default() };
    for (name, point) in [("cat", [230, 160]), ("wall", [440, 10]), ("sky", [231, 161])] {
        let (class, token) = (lesson.class(name), session.patch(id, point));
        lesson.examples.push(Example { photo: id, token, class, at: None });
    }
    assert_eq!(lesson.conflict(), Some([0, 2]));
    let error = wait(lesson.gather(&mut session.album, &session.encoder)).unwrap_err().to_string();
    assert!(error.contains("has two classes, expected one"), "{error}");
    let teach = |points: &[&str]| {
        let mut args = vec![
            "teach",
            text(&cat),
            "--method",
            "linear",
            "--image-size",
            "56",
            "--device",
            "cpu",
        ];
        points.iter().for_each(|point| args.extend(["--point", point]));
        args.extend(["--out", text(&out)]);
        args.into_iter().map(String::from).collect::<Vec<_>>()
    };
    for points in [&["a:1,1", "b:2,2"][..], &["a:1,1", "c:400,200", "b:2,2"]] {
        let args = teach(points);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        fails(&args, "a:1,1 and b:2,2: both points lie in one patch of 4 × 6, which has one class");
        fails(&args, "choose points farther apart, or a larger --image-size");
        assert!(!out.exists());
    }
    // Points of one class in one patch are no conflict.
    let args = teach(&["a:1,1", "a:2,2", "b:400,200"]);
    ok(&args.iter().map(String::as_str).collect::<Vec<_>>());
}

/// A walk starts from pixels: classes may share a patch, each keeps its own pixel, and the head says in
/// its file how it is applied.
#[test]
fn a_lesson_that_walks_keeps_what_was_named() {
    let cat = sample("chelsea.png");
    let mut session = Session::open();
    let id = session.add(&cat, Some(Resize::Native), 1);
    let mut lesson = Lesson { layers: vec![8, 12], method: Method::Walk, ..Lesson::default() };
    let points = [("cat", [225, 150]), ("wall", [440, 10]), ("cat", [2, 2]), ("wall", [60, 60])];
    session.name(&mut lesson, id, &points);
    assert_eq!(lesson.conflict(), Some([2, 3]), "one patch of 75 pixels");
    let gathered = wait(lesson.gather(&mut session.album, &session.encoder)).unwrap();
    assert_eq!(gathered.tokens.len(), (4 * 6 + 1) * 2 * 192, "a copy for the patch's other class");
    let head = lesson.fit(&gathered).unwrap();
    let bytes = head.to_bytes().unwrap();
    let spec = session.encoder.spec().clone();
    let read = |bytes: Vec<u8>| wait(LinearHead::read(&Source::memory("head", bytes), &spec));
    assert_eq!(read(bytes.clone()).unwrap(), head);
    let linear = LinearHead { method: Method::Linear, ..head.clone() }.to_bytes().unwrap();
    assert_eq!(read(linear).unwrap().method, Method::Linear);
    let mut other = bytes.clone();
    let word = other.windows(4).position(|word| word == b"walk").unwrap();
    other[word..word + 4].copy_from_slice(b"swim");
    let error = read(other).unwrap_err().to_string();
    assert!(error.contains("expected \"linear\", \"mlp\" or \"walk\", found \"swim\""), "{error}");

    session.album.learn(head.clone(), &lesson.examples);
    let soft = wait(session.album.soft(&session.encoder, id, Refine::default())).unwrap();
    let named = soft.named().unwrap();
    assert_eq!((soft.size(), soft.classes()), ([300, 451], 2));
    for (name, [x, y]) in points {
        let label = named.labels[y as usize * 451 + x as usize];
        assert_eq!(lesson.names[label as usize], name, "{x},{y}");
    }
    assert_eq!(soft.cut_out(0).unwrap().len(), 4 * 300 * 451);
    // A head from a file knows the classes, and not these pixels.
    session.album.learn(head, &[]);
    let without = wait(session.album.soft(&session.encoder, id, Refine::default())).unwrap();
    assert_ne!(without.named().unwrap(), named);
    assert!(session.view(id, json!({"view": "taught"})).is_ok());
}

/// A network's head is the same after its file, and the command line applies it as it was taught.
#[test]
fn a_lesson_by_a_network_is_kept() {
    let cat = sample("chelsea.png");
    let mut session = Session::open();
    let id = session.add(&cat, Some(Resize::Native), 1);
    let mut lesson = Lesson { layers: vec![8, 12], method: Method::Mlp, ..Lesson::default() };
    let points = [("cat", [225, 150]), ("wall", [440, 10]), ("cat", [200, 220])];
    session.name(&mut lesson, id, &points);
    let head = lesson.fit(&wait(lesson.gather(&mut session.album, &session.encoder)).unwrap());
    let head = head.unwrap();
    let units = head.classifier.hidden.as_ref().unwrap().bias.len();
    assert_eq!(head.classifier.weight.len(), 2 * units);
    let spec = session.encoder.spec().clone();
    let read = |bytes: Vec<u8>| wait(LinearHead::read(&Source::memory("head", bytes), &spec));
    let bytes = head.to_bytes().unwrap();
    assert_eq!(read(bytes.clone()).unwrap(), head);
    let mut other = bytes;
    let name = b"hidden.bias";
    let at = other.windows(name.len()).position(|word| word == name).unwrap();
    other[at + 7..at + 11].copy_from_slice(b"bios");
    let error = read(other).unwrap_err().to_string();
    assert!(error.contains("decode_head.hidden"), "{error}");
    session.album.learn(head, &[]);
    assert!(session.view(id, json!({"view": "taught"})).is_ok());

    let folder = scratch("lessons-network");
    let [head, one, two] = ["h.safetensors", "one.npy", "two.npy"].map(|name| folder.join(name));
    let small = ["--image-size", "56", "--device", "cpu"];
    let points = ["--point", "cat:225,150", "--point", "wall:440,10", "--method", "mlp"];
    let outs = ["--out", text(&head), "--probabilities", text(&one)];
    ok(&[&["teach", text(&cat)][..], &small, &points, &outs].concat());
    let segment = |more: &[&str]| {
        let args =
            ["segment", text(&cat), "--head", text(&head), "--device", "cpu", "--window", "56"];
        [&args[..], more].concat().iter().map(|word| (*word).into()).collect::<Vec<String>>()
    };
    let run = |args: Vec<String>| ok(&args.iter().map(String::as_str).collect::<Vec<_>>());
    run(segment(&["--probabilities", text(&two)]));
    assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
    let args = segment(&["--method", "linear", "--probabilities", text(&two)]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    fails(&args, "--method: the head was taught as mlp, leave it out");
}

//! The state by itself: what is asked of the engine when, and what its answers change.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;

use internvit::Device;
use internvit::gpu::Precision;
use internvit::image::Picture;
use internvit::view::{Edges, Map, Request};

use super::shots::Pixels;
use super::*;
use crate::talk::{Photograph, Place, Texts, What, Wish};

fn opening(model: &str) -> Opening {
    let place = Place { device: Device::Cpu, precision: Precision::F32 };
    Opening { model: model.into(), words: false, offline: true, place }
}

fn known() -> Box<Known> {
    Box::new(Known {
        name: "model".into(),
        device: "CPU".into(),
        shared: false,
        layers: 12,
        heads: 6,
        class_token: true,
        classes: 0,
        labels: 0,
        texts: Texts::None,
        notes: Vec::new(),
    })
}

/// A window with these photographs, all read, and an open model.
fn desk(names: &[&str]) -> Desk {
    let mut desk = Desk::new(opening("dinov2-small"), None);
    desk.hear(Told::Opened(Ok(known())));
    desk.add(names.iter().map(PathBuf::from).collect());
    read(&mut desk);
    desk
}

/// Reads what is to be read: photographs of 160 × 80 pixels.
fn read(desk: &mut Desk) {
    for Reading { shot, path, whole } in desk.next_readings() {
        let small = Pixels { width: 1, height: 1, rgb: vec![0; 3] };
        let picture = Arc::new(Picture::of(160, 80, vec![0; 160 * 80 * 3]));
        let photo = Photograph { id: shot, name: path.display().to_string(), picture, alpha: None };
        let whole = whole.then(|| (photo, Arc::new(small.clone())));
        desk.take(Read { shot, small, whole });
    }
}

/// What is asked to be shown, if anything.
fn wished(desk: &mut Desk) -> Option<Wish> {
    desk.next_asks().into_iter().rev().find_map(|ask| match ask {
        Ask::Show(wish) => Some(*wish),
        _ => None,
    })
}

/// Answers a wish with a map of 4 × 8 patches.
fn show(desk: &mut Desk, wish: &Wish) {
    let mut map = Map::default();
    (map.width, map.height) = (8, 4);
    let map = Some(map);
    desk.hear(Told::Shown(Box::new(Shown {
        ticket: wish.ticket,
        shot: wish.photo.id,
        region: [0.0, 0.0, 160.0, 80.0],
        grid: [4, 8],
        sentence: "a sentence.".into(),
        map,
        ..Shown::default()
    })));
}

#[test]
fn a_photograph_is_shown_once_it_is_read_and_a_model_is_open() {
    let mut desk = Desk::new(opening("dinov2-small"), None);
    assert!(matches!(desk.next_asks()[..], [Ask::Open(_)]));
    desk.add(vec!["a.jpg".into()]);
    assert!(wished(&mut desk).is_none());
    desk.hear(Told::Opened(Ok(known())));
    assert!(wished(&mut desk).is_none(), "it is not read yet");
    read(&mut desk);
    let wish = wished(&mut desk).unwrap();
    let What::View { request: Some(Request::Pca(pca)), at } = &wish.what else {
        panic!("the first view")
    };
    assert_eq!((pca.layer, at.len(), wish.edges), (Some(12), 0, Edges::Photograph));
    assert!(wished(&mut desk).is_none(), "it is asked for once");
    show(&mut desk, &wish);
    assert_eq!(desk.status.text, "a sentence.");
    assert_eq!(desk.sheet().unwrap().grid, [4, 8]);
}

#[test]
fn only_the_last_wish_counts() {
    let mut desk = desk(&["a.jpg"]);
    let first = wished(&mut desk).unwrap();
    desk.view(View::Norms);
    let second = wished(&mut desk).unwrap();
    show(&mut desk, &first);
    assert!(desk.shown.is_none());
    desk.hear(Told::Failed { ticket: first.ticket, why: "late".into() });
    assert!(!desk.status.trouble);
    show(&mut desk, &second);
    assert!(desk.shown.is_some());
    desk.hear(Told::Failed { ticket: second.ticket, why: "no memory".into() });
    assert!(desk.status.trouble && desk.shown.as_ref().unwrap().map.is_none());
}

#[test]
fn a_view_begins_with_its_own_opacity_and_edges() {
    let mut desk = desk(&["a.jpg"]);
    desk.look.opacity = 10;
    desk.view(View::Norms);
    assert_eq!((desk.look.opacity, desk.look.edges), (75, Edges::Patches));
    desk.look.layer = Some(0);
    assert_eq!(desk.look.shown_layer(12), 0);
    desk.view(View::Attention);
    assert_eq!(desk.look.shown_layer(12), 1, "blocks are counted from 1");
}

#[test]
fn pins_are_set_and_let_go_and_stay_for_other_photographs() {
    let mut desk = desk(&["a.jpg", "b.jpg"]);
    desk.view(View::Similarity);
    let wish = wished(&mut desk).unwrap();
    assert!(
        matches!(&wish.what, What::View { request: None, .. }),
        "there is nothing to compare with yet"
    );
    show(&mut desk, &wish);
    assert_eq!(desk.look.prompt(&known()), Some("Click any place."));
    desk.press([30.0, 10.0], false);
    desk.look.pinning = look::Pinning::Unlike;
    desk.press([150.0, 70.0], false);
    let places = |wish: &Wish| match &wish.what {
        What::View { at, .. } => at.iter().map(|pin| (pin.photo.id, pin.at, pin.against)).collect(),
        _ => Vec::new(),
    };
    let wish = wished(&mut desk).unwrap();
    assert_eq!(places(&wish), [(1, [30, 10], false), (1, [150, 70], true)]);
    show(&mut desk, &wish);
    desk.go(1);
    read(&mut desk);
    let wish = wished(&mut desk).unwrap();
    assert_eq!((wish.photo.id, places(&wish).len()), (2, 2));
    show(&mut desk, &wish);
    desk.go(-1);
    let wish = wished(&mut desk).unwrap();
    show(&mut desk, &wish);
    // The same patch, though another pixel of it.
    desk.press([25.0, 15.0], false);
    assert!(desk.look.pins.is_empty());
}

#[test]
fn a_lesson_is_asked_for_with_the_classes_that_were_painted() {
    let mut desk = desk(&["a.jpg"]);
    desk.view(View::Teach);
    let wish = wished(&mut desk).unwrap();
    assert!(matches!(wish.what, What::Taught { lesson: None, .. }));
    show(&mut desk, &wish);
    desk.teaching.add_class();
    desk.press([30.0, 10.0], false);
    desk.lift();
    desk.teaching.class = 0;
    desk.press([100.0, 60.0], false);
    desk.lift();
    let wish = wished(&mut desk).unwrap();
    let What::Taught { lesson: Some(lesson), .. } = wish.what else { panic!("a lesson") };
    assert_eq!(lesson.names, ["object", "class 3"]);
    assert_eq!(lesson.layers, [8, 12]);
    let classes: Vec<usize> = lesson.painted[0].1.iter().map(|trace| trace.class).collect();
    assert_eq!(classes, [1, 0]);
    desk.undo(false);
    assert!(matches!(wished(&mut desk).unwrap().what, What::Taught { lesson: None, .. }));
    desk.undo(true);
    assert!(matches!(wished(&mut desk).unwrap().what, What::Taught { lesson: Some(_), .. }));
}

#[test]
fn photographs_of_a_lesson_stay_in_memory() {
    let names: Vec<String> = (0..12).map(|n| format!("{n}.jpg")).collect();
    let mut desk = desk(&names.iter().map(String::as_str).collect::<Vec<_>>());
    desk.view(View::Teach);
    for _ in 0..12 {
        read(&mut desk);
        let wish = wished(&mut desk).unwrap();
        show(&mut desk, &wish);
        desk.teaching.class = usize::from(wish.photo.id.is_multiple_of(2));
        desk.press([30.0, 10.0], false);
        desk.lift();
        desk.go(1);
    }
    let wish = wished(&mut desk).unwrap();
    let What::Taught { lesson: Some(lesson), .. } = wish.what else { panic!("a lesson") };
    assert_eq!(lesson.painted.len(), 12);
}

#[test]
fn a_photograph_that_goes_takes_its_pins_and_traces() {
    let mut desk = desk(&["a.jpg", "b.jpg"]);
    desk.view(View::Similarity);
    let wish = wished(&mut desk).unwrap();
    show(&mut desk, &wish);
    desk.press([30.0, 10.0], false);
    desk.remove(1);
    assert!(desk.look.pins.is_empty());
    assert_eq!(desk.shots.chosen, Some(2));
    assert!(desk.next_asks().iter().any(|ask| matches!(ask, Ask::Forget(1))));
    desk.remove(2);
    assert_eq!(desk.shots.chosen, None);
}

#[test]
fn another_model_keeps_what_it_can_show() {
    let mut desk = desk(&["a.jpg"]);
    desk.look.layer = Some(7);
    desk.look.head = Some(5);
    desk.view(View::Segmentation);
    desk.open_model(opening("owner/name"));
    assert!(wished(&mut desk).is_none(), "nothing is asked of a model that is not there");
    desk.hear(Told::Opened(Ok(Box::new(Known { layers: 6, heads: 3, ..*known() }))));
    assert_eq!((desk.look.layer, desk.look.head), (None, None));
    assert_eq!(desk.look.view, View::Pca, "it has no head of its own");
    assert_eq!(desk.recent.models[0], "owner/name");
    desk.open_model(opening("wrong"));
    desk.hear(Told::Opened(Err("no such model".into())));
    assert!(desk.status.trouble && desk.known().is_none());
}

#[test]
fn a_model_that_cannot_be_opened_leaves_the_one_before() {
    let mut desk = desk(&["a.jpg"]);
    let ticket = wished(&mut desk).unwrap().ticket;
    desk.hear(Told::Shown(Box::new(Shown { ticket, shot: 1, ..Shown::default() })));
    let kept =
        |name: &str, again| Told::Kept { opening: opening(name), why: "too new".into(), again };
    desk.open_model(opening("wrong"));
    assert!(desk.known().is_none());
    desk.hear(kept("an earlier one", false));
    assert!(desk.known().is_none() && !desk.status.trouble, "of one that nobody waits for");
    desk.hear(kept("wrong", false));
    assert_eq!((desk.opening(), desk.status.text.as_str()), (&opening("dinov2-small"), "too new"));
    assert!(desk.known().is_some() && desk.settled());
    // Opened again it has to show everything again, and what went wrong stays to be read.
    desk.open_model(opening("wrong"));
    desk.hear(kept("wrong", true));
    let ticket = wished(&mut desk).unwrap().ticket;
    desk.hear(Told::Shown(Box::new(Shown { ticket, shot: 1, ..Shown::default() })));
    assert!(desk.settled() && desk.status.trouble && desk.status.text == "too new");
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_the_others_stay() {
    let mut desk = Desk::new(opening("dinov2-small"), None);
    desk.add(vec!["a.jpg".into(), "b.jpg".into()]);
    desk.unread(1, "a.jpg: no picture".into());
    assert_eq!(desk.status.text, "a.jpg: no picture");
    assert!(desk.shots.get(1).unwrap().failed.is_some());
    desk.go(1);
    assert_eq!(desk.shots.chosen, Some(2));
}

#[test]
fn words_stand_in_their_sentence_once_each() {
    let mut look = Look { labels: "cat, dog\ncat,, ".into(), ..Look::default() };
    assert_eq!(look.texts().unwrap(), ["a photo of a cat", "a photo of a dog"]);
    look.sentence = "a photo".into();
    assert_eq!(look.texts(), None);
}

//! The keyboard.

use eframe::egui::{Context, Key, Modifiers, ViewportCommand};

use super::App;
use super::dialogs::Wanted;
use crate::state::lesson::RADII;
use crate::state::views::{VIEWS, View};

const DIGITS: [Key; 9] = [
    Key::Num1,
    Key::Num2,
    Key::Num3,
    Key::Num4,
    Key::Num5,
    Key::Num6,
    Key::Num7,
    Key::Num8,
    Key::Num9,
];

/// Takes the keys that mean something, unless they are text.
pub(super) fn read(app: &mut App, ctx: &Context) {
    if ctx.egui_wants_keyboard_input() {
        return;
    }
    let pressed =
        |modifiers: Modifiers, key: Key| ctx.input_mut(|input| input.consume_key(modifiers, key));
    let plain = |key| pressed(Modifiers::NONE, key);
    // With Shift before without: a key without matches either.
    let again = pressed(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z)
        || pressed(Modifiers::COMMAND, Key::Y);
    if again || pressed(Modifiers::COMMAND, Key::Z) {
        app.desk.undo(again);
    }
    if pressed(Modifiers::COMMAND, Key::O) {
        app.ask(Wanted::Photographs);
    }
    if pressed(Modifiers::COMMAND, Key::S) {
        app.ask(Wanted::Picture);
    }
    if pressed(Modifiers::COMMAND, Key::Q) {
        ctx.send_viewport_cmd(ViewportCommand::Close);
    }
    for (at, key) in DIGITS.into_iter().enumerate() {
        if pressed(Modifiers::COMMAND, key) {
            app.desk.view(VIEWS[at].view);
        } else if plain(key) {
            digit(app, at);
        }
    }
    for (key, by) in [(Key::ArrowLeft, -1), (Key::ArrowRight, 1)] {
        if plain(key) {
            app.desk.go(by);
        }
    }
    for (key, by) in [(Key::ArrowDown, -1), (Key::ArrowUp, 1)] {
        if plain(key) {
            layer(app, by);
        }
    }
    if plain(Key::Escape) {
        match app.listing {
            true => app.listing = false,
            false => app.desk.escape(),
        }
    }
    if plain(Key::M) {
        app.listing = !app.listing;
    }
    if plain(Key::Delete)
        && let Some(id) = app.desk.shots.chosen
    {
        app.textures.forget(id);
        app.desk.remove(id);
    }
    if app.desk.look.view == View::Teach {
        brush(app, &plain);
    }
}

/// A digit: a view, or in a lesson a class.
fn digit(app: &mut App, at: usize) {
    if app.desk.look.view != View::Teach {
        app.desk.view(VIEWS[at].view);
    } else if at < app.desk.teaching.now().classes.len() {
        app.desk.teaching.class = at;
    }
}

/// The layer `by` further on.
fn layer(app: &mut App, by: isize) {
    let Some(layers) = app.desk.known().map(|known| known.layers) else { return };
    let Some(first) = app.desk.look.view.about().first_layer else { return };
    let next = app.desk.look.shown_layer(layers).saturating_add_signed(by).clamp(first, layers);
    app.desk.look.layer = (next < layers).then_some(next);
    app.desk.changed();
}

fn brush(app: &mut App, plain: &dyn Fn(Key) -> bool) {
    let teaching = &mut app.desk.teaching;
    if plain(Key::B) {
        teaching.erases = false;
    }
    if plain(Key::E) {
        teaching.erases = true;
    }
    if plain(Key::OpenBracket) {
        teaching.size = teaching.size.saturating_sub(1);
    }
    if plain(Key::CloseBracket) {
        teaching.size = (teaching.size + 1).min(RADII.len() - 1);
    }
}

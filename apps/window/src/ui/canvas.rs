//! The stage: the photograph, the view over it, pins and strokes, and the pointer.

use eframe::egui::{
    Align2, Color32, CornerRadius, FontId, Painter, Pos2, Rect, Role, Sense, Stroke, Ui, Vec2,
    WidgetInfo, pos2,
};

use super::App;
use crate::state::Desk;
use crate::state::describe::describe;
use crate::state::views::{Pointing, View};

/// The colours of pins: the one that is looked for, for what is alike, and against it.
const PIN: Color32 = Color32::WHITE;
const ALIKE: Color32 = Color32::from_rgb(46, 200, 110);
const UNLIKE: Color32 = Color32::from_rgb(235, 70, 60);
/// Points of the screen that a ring is wide at least.
const LEAST: f32 = 7.0;
const WHOLE: Rect = Rect { min: Pos2::ZERO, max: pos2(1.0, 1.0) };

/// Where a photograph lies on the screen.
#[derive(Clone, Copy)]
struct Frame {
    rect: Rect,
    /// Points of the screen for a pixel.
    scale: f32,
}

impl Frame {
    /// A photograph as large as it can be in the middle of an area.
    fn fit(area: Rect, [width, height]: [u32; 2]) -> Self {
        let scale = (area.width() / width as f32).min(area.height() / height as f32);
        let size = Vec2::new(width as f32, height as f32) * scale;
        Self { rect: Rect::from_center_size(area.center(), size), scale }
    }

    fn pixel(&self, at: Pos2) -> [f32; 2] {
        let from = (at - self.rect.min) / self.scale;
        [from.x, from.y]
    }

    /// Where the part lies that the model saw.
    fn part(&self, region: [f64; 4]) -> Rect {
        let [left, top, width, height] = region.map(|v| v as f32);
        Rect::from_min_max(self.point([left, top]), self.point([left + width, top + height]))
    }

    fn point(&self, [x, y]: [f32; 2]) -> Pos2 {
        self.rect.min + Vec2::new(x, y) * self.scale
    }
}

pub(super) fn show(app: &mut App, ui: &mut Ui) {
    let area = ui.available_rect_before_wrap();
    let response = ui.allocate_rect(area, Sense::click_and_drag());
    let name = match app.desk.shots.chosen.and_then(|id| app.desk.shots.get(id)) {
        Some(shot) => format!("Picture {}", shot.name),
        None => "Picture".into(),
    };
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
    let painter = ui.painter_at(area);
    let Some((photo, _)) = app.desk.shots.on_stage() else {
        return empty(&app.desk, ui, &painter, area);
    };
    let frame = Frame::fit(area, [photo.picture.width, photo.picture.height]);
    let opacity = f32::from(app.desk.look.opacity) / 100.0;
    if let Some(texture) = app.textures.photo(ui.ctx(), &app.desk) {
        painter.image(texture.id(), frame.rect, WHOLE, Color32::WHITE);
    }
    if let (Some(shown), Some(texture)) = (&app.desk.shown, app.textures.paint(ui.ctx(), &app.desk))
    {
        let part = frame.part(shown.region);
        // Below what is transparent the photograph is dark.
        if app.desk.look.view == View::Pca && app.desk.look.foreground {
            painter.rect_filled(
                part,
                CornerRadius::ZERO,
                Color32::from_black_alpha((160.0 * opacity) as u8),
            );
        }
        painter.image(texture.id(), part, WHOLE, Color32::WHITE.gamma_multiply(opacity));
    }
    alike(app, ui, &painter, frame, response.contains_pointer());
    pins(&app.desk, &painter, frame);
    strokes(&app.desk, &painter, frame);
    pointer(app, ui, &painter, frame, response.contains_pointer());
}

/// What is seen without a photograph.
fn empty(desk: &Desk, ui: &Ui, painter: &Painter, area: Rect) {
    let text = match desk.shots.chosen.and_then(|id| desk.shots.get(id)) {
        Some(shot) if shot.failed.is_some() => shot.failed.clone().unwrap_or_default(),
        Some(_) => "Reading the picture.".into(),
        None => "Drop pictures here, or add them (Ctrl O).".into(),
    };
    painter.text(
        area.center(),
        Align2::CENTER_CENTER,
        text,
        FontId::proportional(18.0),
        ui.visuals().text_color(),
    );
}

/// Light on what is alike to the patch under the pointer, while none is pinned.
fn alike(app: &App, ui: &Ui, painter: &Painter, frame: Frame, over: bool) {
    if app.desk.look.view != View::Similarity || !app.desk.look.pins.is_empty() {
        return;
    }
    let (Some(shared), Some(sheet)) = (&app.shared, app.desk.sheet()) else { return };
    let Some(held) = app.desk.shown.as_ref().and_then(|shown| shown.held.as_ref()) else { return };
    let Some(at) = ui.input(|input| input.pointer.hover_pos()).filter(|_| over) else { return };
    if let Some(patch) = sheet.patch(frame.pixel(at)) {
        let strength = f32::from(app.desk.look.opacity) / 100.0;
        painter.add(shared.light(frame.part(sheet.region), held, patch, strength));
    }
}

fn pins(desk: &Desk, painter: &Painter, frame: Frame) {
    let Some(shot) = desk.shots.chosen else { return };
    for (at, pin) in desk.look.places(shot).iter().enumerate().filter(|(_, pin)| pin.shot == shot) {
        let colour = match (at, pin.against) {
            (0, _) => PIN,
            (_, false) => ALIKE,
            (_, true) => UNLIKE,
        };
        let centre = frame.point(pin.at.map(|v| v as f32 + 0.5));
        painter.circle_stroke(centre, LEAST, Stroke::new(4.0, Color32::BLACK));
        painter.circle_stroke(centre, LEAST, Stroke::new(2.0, colour));
    }
}

fn strokes(desk: &Desk, painter: &Painter, frame: Frame) {
    let (Some(shot), View::Teach) = (desk.shots.chosen, desk.look.view) else { return };
    let lesson = desk.teaching.now();
    let longer = frame.rect.width().max(frame.rect.height());
    for trace in lesson.traces.iter().filter(|trace| trace.shot == shot) {
        let [r, g, b] = lesson.classes.get(trace.class).map_or([0; 3], |class| class.colour);
        let colour = Color32::from_rgb(r, g, b);
        let points: Vec<Pos2> = trace.path.iter().map(|at| frame.point(*at)).collect();
        if let [point] = points.as_slice() {
            painter.circle(*point, 5.0, colour, Stroke::new(2.0, Color32::WHITE));
            continue;
        }
        let width = (2.0 * trace.radius * longer).max(3.0);
        painter.line(points, Stroke::new(width, colour.gamma_multiply(0.8)));
    }
}

/// What the pointer does, and what is said of the place below it.
fn pointer(app: &mut App, ui: &Ui, painter: &Painter, frame: Frame, over: bool) {
    let (at, pressed, down, released) = ui.input(|input| {
        let pointer = &input.pointer;
        (
            pointer.latest_pos(),
            pointer.primary_pressed(),
            pointer.primary_down(),
            pointer.primary_released(),
        )
    });
    if released {
        app.desk.lift();
    }
    let Some(at) = at.filter(|at| over && frame.rect.contains(*at)) else { return };
    let pixel = frame.pixel(at);
    if pressed {
        app.desk.press(pixel, false);
    } else if down {
        app.desk.press(pixel, true);
    }
    if app.desk.look.view.about().pointing == Pointing::Paint && app.desk.sheet().is_some() {
        let teaching = &app.desk.teaching;
        let longer = frame.rect.width().max(frame.rect.height());
        let colour = match teaching.now().classes.get(teaching.class) {
            Some(class) if !teaching.erases => {
                Color32::from_rgb(class.colour[0], class.colour[1], class.colour[2])
            }
            _ => Color32::WHITE,
        };
        painter.circle_stroke(at, LEAST.max(teaching.radius() * longer), Stroke::new(2.0, colour));
    }
    if let Some(text) = describe(&app.desk, pixel) {
        let galley = painter.layout_no_wrap(text, FontId::proportional(14.0), Color32::WHITE);
        let corner = frame.rect.left_bottom() + Vec2::new(8.0, -8.0 - galley.size().y);
        let back = Rect::from_min_size(corner, galley.size()).expand(4.0);
        painter.rect_filled(back, CornerRadius::same(3), Color32::from_black_alpha(190));
        painter.galley(corner, galley, Color32::WHITE);
    }
}

// Light on what is alike to one patch: cosines of the patches' features with its own, each less their mean, computed where
// the features lie, and drawn as shade on all that is not alike.

struct Sheet {
    // The row of the first patch; values of a row; rows and columns of patches; the patch that is asked about.
    first: u32,
    channels: u32,
    rows: u32,
    cols: u32,
    asked: u32,
    // How dark what is not alike becomes, and the cosines between which it becomes so.
    strength: f32,
    low: f32,
    high: f32,
}

@group(0) @binding(0) var<uniform> sheet: Sheet;
@group(0) @binding(1) var<storage, read> hidden: array<f32>;
@group(0) @binding(2) var<storage, read_write> mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> alike: array<f32>;
// The same as `alike`, as a fragment reads it.
@group(0) @binding(4) var<storage, read> lit: array<f32>;

@compute @workgroup_size(64)
fn means(@builtin(global_invocation_id) id: vec3u) {
    let channel = id.x;
    if channel >= sheet.channels {
        return;
    }
    let count = sheet.rows * sheet.cols;
    var sum = 0.0;
    for (var patch_at = 0u; patch_at < count; patch_at++) {
        sum += hidden[(sheet.first + patch_at) * sheet.channels + channel];
    }
    mean[channel] = sum / f32(count);
}

@compute @workgroup_size(64)
fn cosines(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= sheet.rows * sheet.cols {
        return;
    }
    let own = (sheet.first + id.x) * sheet.channels;
    let asked = (sheet.first + sheet.asked) * sheet.channels;
    var product = 0.0;
    var lengths = vec2f();
    for (var channel = 0u; channel < sheet.channels; channel++) {
        let pair = vec2f(hidden[own + channel], hidden[asked + channel]) - mean[channel];
        product += pair.x * pair.y;
        lengths += pair * pair;
    }
    // A patch without length resembles nothing.
    let size = sqrt(lengths.x) * sqrt(lengths.y);
    alike[id.x] = select(0.0, product / size, size > 0.0);
}

struct Place {
    @builtin(position) position: vec4f,
    @location(0) at: vec2f,
}

// One triangle over all of the part that the model saw.
@vertex
fn cover(@builtin(vertex_index) index: u32) -> Place {
    let corner = vec2f(f32((index << 1u) & 2u), f32(index & 2u));
    return Place(vec4f(corner * 2.0 - 1.0, 0.0, 1.0), vec2f(corner.x, 1.0 - corner.y));
}

fn value(row: i32, col: i32) -> f32 {
    let inside = clamp(vec2i(row, col), vec2i(), vec2i(i32(sheet.rows), i32(sheet.cols)) - 1);
    return lit[u32(inside.x) * sheet.cols + u32(inside.y)];
}

@fragment
fn shade(place: Place) -> @location(0) vec4f {
    let at = place.at * vec2f(f32(sheet.cols), f32(sheet.rows)) - 0.5;
    let first = vec2i(floor(at));
    let part = fract(at);
    let above = mix(value(first.y, first.x), value(first.y, first.x + 1), part.x);
    let below = mix(value(first.y + 1, first.x), value(first.y + 1, first.x + 1), part.x);
    let light = smoothstep(sheet.low, sheet.high, mix(above, below, part.y));
    return vec4f(0.0, 0.0, 0.0, sheet.strength * (1.0 - light));
}

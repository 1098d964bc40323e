// Bilinear resize of a map, half-pixel centres, border clamped (PyTorch's align_corners = false),
// into some columns of a wider map (concatenation), or added to it.
//
// One invocation makes four channels of a pixel.
const C = 64u;     // channels that are read
const WIDE = 256u; // channels of the map that is written
const ADD = false;

@group(0) @binding(1) var<storage, read> x: array<vec4f>;       // [height · width, C]
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>; // [tokens, WIDE]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let index = (group.y * groups.x + group.x) * 64u + lane;
    if index >= size.rows * (C / 4u) {
        return;
    }
    let row = index / (C / 4u);
    let quad = index % (C / 4u);
    let inside = row % size.tokens;
    let py = source(inside / size.out_width, size.height, size.tokens / size.out_width);
    let px = source(inside % size.out_width, size.width, size.out_width);
    let picture = row / size.tokens * (size.height * size.width);
    let top = picture + u32(py) * size.width;
    let bottom = picture + min(u32(py) + 1u, size.height - 1u) * size.width;
    let left = u32(px);
    let right = min(left + 1u, size.width - 1u);
    let upper = mix(pixel(top + left, quad), pixel(top + right, quad), fract(px));
    let lower = mix(pixel(bottom + left, quad), pixel(bottom + right, quad), fract(px));
    var value = mix(upper, lower, fract(py));
    let at = row * (WIDE / 4u) + size.column + quad;
    if ADD {
        value += y[at];
    }
    y[at] = value;
}

// Where output i of m lies among n inputs.
fn source(i: u32, n: u32, m: u32) -> f32 {
    return max((f32(i) + 0.5) * f32(n) / f32(m) - 0.5, 0.0);
}

fn pixel(place: u32, quad: u32) -> vec4f {
    return x[place * (C / 4u) + quad];
}

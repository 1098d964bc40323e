// The mean over a window of 2 · RADIUS + 1 pixels along one axis of a map; at the border over the
// pixels that are there.
//
// One invocation makes four channels of a pixel.
const C = 64u;
const RADIUS = 4u;
const ACROSS = false; // along rows, otherwise from row to row

@group(0) @binding(1) var<storage, read> x: array<vec4f>;       // [height · width, C]
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>; // [tokens, C]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let index = (group.y * groups.x + group.x) * 64u + lane;
    if index >= size.rows * (C / 4u) {
        return;
    }
    let row = index / (C / 4u);
    let inside = row % size.tokens;
    let place = select(inside / size.width, inside % size.width, ACROSS);
    let stride = select(size.width, 1u, ACROSS);
    let last = min(place + RADIUS, select(size.height, size.width, ACROSS) - 1u);
    let first = max(place, RADIUS) - RADIUS;
    let start = row - (place - first) * stride;
    var sum = vec4f();
    for (var i = 0u; i <= last - first; i++) {
        sum += x[(start + i * stride) * (C / 4u) + index % (C / 4u)];
    }
    y[index] = sum / f32(last - first + 1u);
}

// Pictures cut into patches: rows[p][k], k = (channel · PATCH + y) · PATCH + x.
//
// One invocation makes four neighbouring values of a row. ROW_LEN is a multiple of 4 (PATCH even).
// Holes: the type Y; pixel(picture, channel, y, x) -> f32, with its binding in group 1.
const PATCH = 14u;

const AREA = PATCH * PATCH;
const ROW_LEN = 3u * AREA;

@group(0) @binding(1) var<storage, read_write> rows: array<Y>; // [rows, ROW_LEN]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let index = (group.y * groups.x + group.x) * 64u + lane;
    if index >= size.rows * (ROW_LEN / 4u) {
        return;
    }
    let row = index / (ROW_LEN / 4u);
    let k = index % (ROW_LEN / 4u) * 4u;
    rows[index] =
        to_y(vec4f(value(row, k), value(row, k + 1u), value(row, k + 2u), value(row, k + 3u)));
}

fn value(row: u32, k: u32) -> f32 {
    let cols = size.width / PATCH;
    let patches = size.height / PATCH * cols;
    let place = row % patches;
    let y = place / cols * PATCH + k / PATCH % PATCH;
    let x = place % cols * PATCH + k % PATCH;
    return pixel(row / patches, k / AREA, y, x);
}

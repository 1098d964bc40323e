// Pictures cut into patches: rows[p][k], k = (channel · PATCH + y) · PATCH + x.
//
// One invocation makes four neighbouring values of a row. ROW_LEN is a multiple of 4 (PATCH even).
// Holes: the type Y; patch_values(row, k) in group 0.
const PATCH = 14u;

const ROW_LEN = 3u * PATCH * PATCH;

@group(1) @binding(0) var<storage, read_write> rows: array<Y>; // [rows, ROW_LEN]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let index = (group.y * groups.x + group.x) * 64u + lane;
    if index >= size.rows * (ROW_LEN / 4u) {
        return;
    }
    let row = index / (ROW_LEN / 4u);
    let k = index % (ROW_LEN / 4u) * 4u;
    rows[index] = to_y(patch_values(row, k));
}

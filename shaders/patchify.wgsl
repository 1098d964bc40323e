// Pictures cut into patches: rows[p][k], k = (channel · PATCH + y) · PATCH + x.
//
// One invocation makes four neighbouring values of a row, zeros beyond its end.
// Holes: the type Y; patch_values(row, k) in group 0.
const PATCH = 14u;

const QUADS = (3u * PATCH * PATCH + 3u) / 4u;

@group(1) @binding(0) var<storage, read_write> rows: array<Y>; // [rows, 3 · PATCH²]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let index = (group.y * groups.x + group.x) * 64u + lane;
    if index >= size.rows * QUADS {
        return;
    }
    let row = index / QUADS;
    let k = index % QUADS * 4u;
    rows[index] = to_y(patch_values(row, k));
}

// Rows of a matrix of weights by their numbers: y[r] = w[index[r]]. A dispatch has some panels of w, and makes the rows that
// lie in these.
//
// One invocation makes four channels of a row.
// Hole: load_w(panel, k, quad) in group 1.
const K = 192u; // channels, a multiple of 4

@group(0) @binding(1) var<storage, read> index: array<vec4f>;   // [rows, 1], each a quad
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>; // [rows, K]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let at = (group.y * groups.x + group.x) * 64u + lane;
    if at >= size.rows * (K / 4u) {
        return;
    }
    let number = u32(index[at / (K / 4u)].x);
    let panel = number / 64u;
    if panel < size.first_panel || panel >= size.first_panel + size.width {
        return;
    }
    let k = at % (K / 4u) * 4u;
    var value = vec4f();
    for (var i = 0u; i < 4u; i++) {
        value[i] = load_w(panel - size.first_panel, k + i, number % 64u / 4u)[number % 4u];
    }
    y[at] = value;
}

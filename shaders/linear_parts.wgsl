// y = finish(Σ sums), of products whose inputs were shared by PARTS workgroups.
//
// An invocation adds one quad of outputs. Hole: finish(plane, row, quad, sum) in group 2 and the type Y of what is
// written.
const COLS = 192u; // outputs of one plane, a multiple of 4
const PARTS = 2u;

@group(1) @binding(0) var<storage, read> sums: array<vec4f>; // [planes][PARTS][rows, COLS], in f32

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let at = (group.y * groups.x + group.x) * 64u + lane;
    let part = size.rows * (COLS / 4u);
    if at >= part {
        return;
    }
    var sum = vec4f();
    for (var i = 0u; i < PARTS; i++) {
        sum += sums[group.z * size.part_stride + i * part + at];
    }
    finish(size.first_plane + group.z, at / (COLS / 4u), at % (COLS / 4u), sum);
}

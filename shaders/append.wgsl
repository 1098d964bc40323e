// Rows behind what a state holds: y[place + r] = x[r].
//
// One invocation copies four channels of a row.
const C = 192u;

const QUADS = (C + 3u) / 4u;

@group(0) @binding(1) var<storage, read> x: array<vec4f>;       // [rows, C]
@group(0) @binding(2) var<storage, read> place: array<f32>;     // rows that the state holds
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>; // [capacity, C]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let at = (group.y * groups.x + group.x) * 64u + lane;
    if at < size.rows * QUADS {
        y[u32(place[0]) * QUADS + at] = x[at];
    }
}

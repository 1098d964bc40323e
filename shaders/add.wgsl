// y += x.
//
// One invocation adds four values.
const C = 192u; // channels

@group(0) @binding(1) var<storage, read> x: array<vec4f>;       // [rows, C]
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>; // [rows, C]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let at = (group.y * groups.x + group.x) * 64u + lane;
    if at < size.rows * ((C + 3u) / 4u) {
        y[at] += x[at];
    }
}

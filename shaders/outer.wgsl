// Each value times each of the guide's: red, green, blue and 1.
//
// One invocation makes four products of a value.
const C = 64u;

@group(0) @binding(1) var<storage, read> x: array<f32>;         // [tokens, C]
@group(0) @binding(2) var<storage, read> guide: array<vec4f>;   // [tokens, 4]
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>; // [tokens, 4 · C]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let index = (group.y * groups.x + group.x) * 64u + lane;
    if index >= size.rows * C {
        return;
    }
    y[index] = x[index] * guide[index / C];
}

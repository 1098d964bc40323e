// y[0] = cls + position[0]; y[1 + p] = patches[p] + position[1 + p], for every picture.
//
// One invocation makes four channels of a token.
const C = 192u;

@group(0) @binding(1) var<storage, read> patches: array<vec4f>;  // [batch · (tokens - 1), C]
@group(0) @binding(2) var<storage, read> position: array<vec4f>; // [tokens, C]
@group(0) @binding(3) var<storage, read> cls: array<vec4f>;      // [C]
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;  // [batch · tokens, C]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let index = (group.y * groups.x + group.x) * 64u + lane;
    if index >= size.rows * (C / 4u) {
        return;
    }
    let row = index / (C / 4u);
    let quad = index % (C / 4u);
    let token = row % size.tokens;
    var value: vec4f;
    if token == 0u {
        value = cls[quad];
    } else {
        value = patches[(row - row / size.tokens - 1u) * (C / 4u) + quad];
    }
    y[index] = value + position[token * (C / 4u) + quad];
}

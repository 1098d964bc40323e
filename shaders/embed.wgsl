// y[t] = rows[t] + (t < PREFIX ? 0 : patches[t - PREFIX]), for every picture.
//
// One invocation makes four channels of a token.
const C = 192u;
const PREFIX = 1u;

@group(0) @binding(1) var<storage, read> patches: array<vec4f>;  // [batch · (tokens - PREFIX), C]
@group(0) @binding(2) var<storage, read> rows: array<vec4f>;     // [tokens, C]
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;  // [batch · tokens, C]

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
    var value = rows[token * (C / 4u) + quad];
    if token >= PREFIX {
        let picture = row / size.tokens;
        let patch_row = row - (picture + 1u) * PREFIX;
        value = patches[patch_row * (C / 4u) + quad] + value;
    }
    y[index] = value;
}

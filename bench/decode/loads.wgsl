// Reads all of a buffer and does nothing else, as a product of one row with weights in 8 bits reads them: a workgroup of
// 8 owns 64 outputs (one panel).
const K = 896u; // inputs

@group(0) @binding(0) var<storage, read> weights: array<vec4u>; // [panel][K / 4][16 quads of outputs]
@group(0) @binding(1) var<storage, read_write> y: array<vec4u>; // [panel][8]

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    var a = vec4u();
    var b = vec4u();
    for (var k = 0u; k < K; k += 32u) {
        let at = (group.x * K + k) * 4u + 2u * lane;
        a ^= weights[at] ^ weights[at + 16u] ^ weights[at + 32u] ^ weights[at + 48u]
            ^ weights[at + 64u] ^ weights[at + 80u] ^ weights[at + 96u] ^ weights[at + 112u];
        b ^= weights[at + 1u] ^ weights[at + 17u] ^ weights[at + 33u] ^ weights[at + 49u]
            ^ weights[at + 65u] ^ weights[at + 81u] ^ weights[at + 97u] ^ weights[at + 113u];
    }
    y[group.x * 8u + lane] = a ^ b;
}

// Reads all of a buffer as codes of 4 bits, widens each and sums them, and multiplies by nothing: a product of one row without
// its row and its scales. A workgroup of 8 owns 64 outputs (one panel), a lane eight of them, as in linear_one_subgroup with
// eight/int4.
const K = 896u; // inputs

@group(0) @binding(0) var<storage, read> weights: array<vec4u>; // [panel][K / 4][8 octets of outputs]
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>; // [panel][16 quads of outputs]

struct Eight { a: vec4f, b: vec4f }

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    var sum = Eight(vec4f(), vec4f());
    for (var k = 0u; k < K; k += 32u) {
        let at = (group.x * K + k) * 2u + lane;
        let part = add(
            add(add(eight(at), eight(at + 8u)), add(eight(at + 16u), eight(at + 24u))),
            add(add(eight(at + 32u), eight(at + 40u)), add(eight(at + 48u), eight(at + 56u))));
        sum = add(sum, part);
    }
    y[group.x * 16u + 2u * lane] = sum.a;
    y[group.x * 16u + 2u * lane + 1u] = sum.b;
}

// Sums of four codes each.
fn eight(at: u32) -> Eight {
    let words = vec4i(weights[at]);
    return Eight(
        vec4f(four(words << vec4u(28u)), four(words << vec4u(24u)), four(words << vec4u(20u)), four(words << vec4u(16u))),
        vec4f(four(words << vec4u(12u)), four(words << vec4u(8u)), four(words << vec4u(4u)), four(words)),
    );
}

fn four(words: vec4i) -> f32 {
    let v = vec4f(words & vec4i(-0x10000000));
    return v.x + v.y + v.z + v.w;
}

fn add(x: Eight, y: Eight) -> Eight {
    return Eight(x.a + y.a, x.b + y.b);
}

// Rotary positions: the pair of channels (a, b) numbered j of every head becomes (a cos φ - b sin φ, b cos φ + a sin φ).
//
// One invocation makes four channels of a token.
const C = 192u;      // channels of all heads
const D = 64u;       // channels of a head, a multiple of 8
const HALVES = true; // pairs are channels j and j + D/2, otherwise 2j and 2j + 1

const D4 = D / 4u;
const_assert D % 8u == 0u;

@group(0) @binding(1) var<storage, read> x: array<vec4f>;       // [batch · tokens, C]
@group(0) @binding(2) var<storage, read> angles: array<vec4f>;  // [tokens, D]: cosines, then sines
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>; // [batch · tokens, C]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let at = (group.y * groups.x + group.x) * 64u + lane;
    if at >= size.rows * (C / 4u) {
        return;
    }
    let own = at / (C / 4u) % size.tokens * D4; // the token's first cosines
    let quad = at % (C / 4u) % D4;
    let value = x[at];
    if HALVES {
        let half = D4 / 2u;
        let j = own + quad % half;
        if quad < half {
            y[at] = value * angles[j] - x[at + half] * angles[j + half];
        } else {
            y[at] = value * angles[j] + x[at - half] * angles[j + half];
        }
    } else {
        let j = own + quad / 2u;
        let cosines = two(angles[j], quad);
        let sines = two(angles[j + D4 / 2u], quad);
        y[at] = value * cosines.xxyy + vec4f(-value.y, value.x, -value.w, value.z) * sines.xxyy;
    }
}

// The two of a quad of angles that a quad of neighbours turns by.
fn two(quad: vec4f, number: u32) -> vec2f {
    return select(quad.zw, quad.xy, number % 2u == 0u);
}

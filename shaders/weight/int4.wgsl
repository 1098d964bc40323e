// Panels of 4-bit codes of two's complement, eight outputs of an input to a word: w[panel][k / 4][8 octets][4 inputs], as
// src/gpu/pack.rs packs them, and an f16 scale for each output and GROUP inputs of the whole matrix.
const GROUP = 32u;

@group(1) @binding(0) var<storage, read> weights: array<vec4u>;
@group(1) @binding(1) var<storage, read> scales: array<vec2u>; // [panel][K / GROUP][64 outputs]

// Four neighbouring outputs' weights for input k; `panel` counts from the binding's start.
fn load_w(panel: u32, k: u32, quad: u32) -> vec4f {
    let word = weights[(panel * (K / 4u) + k / 4u) * 8u + quad / 2u][k % 4u] >> (quad % 2u * 16u);
    return four(word) * load_scale(panel, k, quad);
}

// Those for four neighbouring inputs, a column each.
fn load_w4(panel: u32, k: u32, quad: u32) -> mat4x4f {
    let words = weights[(panel * (K / 4u) + k / 4u) * 8u + quad / 2u] >> vec4u(quad % 2u * 16u);
    let scale = load_scale(panel, k, quad);
    return mat4x4f(four(words.x) * scale, four(words.y) * scale, four(words.z) * scale, four(words.w) * scale);
}

fn load_factor(panel: u32, quad: u32) -> vec4f {
    return vec4f(1.0);
}

// The lowest four codes of a word.
fn four(word: u32) -> vec4f {
    return vec4f((vec4i(i32(word)) << vec4u(28u, 24u, 20u, 16u)) >> vec4u(28u));
}

fn load_scale(panel: u32, k: u32, quad: u32) -> vec4f {
    let group = (size.first_panel + panel) * (K / GROUP) + k / GROUP;
    return from_halves(scales[group * 16u + quad]);
}

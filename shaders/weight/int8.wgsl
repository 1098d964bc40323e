// Panels of 8-bit codes, four inputs of an output to a word: w[panel][k / 4][64 outputs], as
// src/gpu/pack.rs packs them, and a scale for each output of the whole matrix.
@group(1) @binding(0) var<storage, read> weights: array<vec4u>;
@group(1) @binding(1) var<storage, read> scales: array<vec4f>; // [panel][64 outputs]

// Four neighbouring outputs' weights for input k; `panel` counts from the binding's start.
fn load_w(panel: u32, k: u32, quad: u32) -> vec4f {
    let words = vec4i(weights[(panel * (K / 4u) + k / 4u) * 16u + quad]);
    return vec4f(extractBits(words, k % 4u * 8u, 8u)) * load_scale(panel, quad);
}

// Those for four neighbouring inputs, a column each, but for a factor of each output: codes / 127.
fn load_w4(panel: u32, k: u32, quad: u32) -> mat4x4f {
    let words = load_codes(panel, k / 4u, quad);
    return transpose(mat4x4f(unpack4x8snorm(words.x), unpack4x8snorm(words.y),
        unpack4x8snorm(words.z), unpack4x8snorm(words.w)));
}

fn load_factor(panel: u32, quad: u32) -> vec4f {
    return 127.0 * load_scale(panel, quad);
}

fn load_codes(panel: u32, k4: u32, quad: u32) -> vec4u {
    return weights[(panel * (K / 4u) + k4) * 16u + quad];
}

fn load_scale(panel: u32, quad: u32) -> vec4f {
    return scales[(size.first_panel + panel) * 16u + quad];
}

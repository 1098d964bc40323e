// Panels of 8-bit codes, four to a word: w[panel][k][64 outputs], as src/gpu/pack.rs packs them, and a
// scale for each output of the whole matrix.
@group(1) @binding(0) var<storage, read> weights: array<u32>;
@group(1) @binding(1) var<storage, read> scales: array<vec4f>; // [panel][64 outputs]

// Four neighbouring outputs' weights for input k; `panel` counts from the binding's start.
fn load_w(panel: u32, k: u32, quad: u32) -> vec4f {
    let codes = unpack4xI8(weights[(panel * K + k) * 16u + quad]);
    return vec4f(codes) * scales[(size.first_panel + panel) * 16u + quad];
}

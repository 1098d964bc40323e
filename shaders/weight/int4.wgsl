// Panels of 4-bit codes, eight to a word, 8 for zero: w[panel][k][64 outputs], as src/gpu/pack.rs packs
// them, and an f16 scale for each output and GROUP inputs of the whole matrix.
const GROUP = 32u;

@group(1) @binding(0) var<storage, read> weights: array<u32>;
@group(1) @binding(1) var<storage, read> scales: array<vec2u>; // [panel][K / GROUP][64 outputs]

// Four neighbouring outputs' weights for input k; `panel` counts from the binding's start.
fn load_w(panel: u32, k: u32, quad: u32) -> vec4f {
    let word = weights[(panel * K + k) * 8u + quad / 2u] >> (quad % 2u * 16u);
    let codes = vec4i((vec4u(word) >> vec4u(0u, 4u, 8u, 12u)) & vec4u(15u)) - 8;
    let group = (size.first_panel + panel) * (K / GROUP) + k / GROUP;
    return vec4f(codes) * from_halves(scales[group * 16u + quad]);
}

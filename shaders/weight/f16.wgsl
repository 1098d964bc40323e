// Panels of f16, two to a word: w[panel][k][64 outputs], as src/gpu/pack.rs packs them.
@group(1) @binding(0) var<storage, read> weights: array<vec2u>;

// Four neighbouring outputs' weights for input k; `panel` counts from the binding's start.
fn load_w(panel: u32, k: u32, quad: u32) -> vec4f {
    return from_halves(weights[(panel * K + k) * 16u + quad]);
}

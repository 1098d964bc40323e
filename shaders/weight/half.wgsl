// Panels of f16 that are multiplied as they are: w[panel][k][64 outputs], as src/gpu/pack.rs packs them.
@group(1) @binding(0) var<storage, read> weights: array<vec4<f16>>;

// Four neighbouring outputs' weights for input k; `panel` counts from the binding's start.
fn load_half(panel: u32, k: u32, quad: u32) -> vec4<f16> {
    return weights[(panel * K + k) * 16u + quad];
}

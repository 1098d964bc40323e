// Panels of bf16, two to a word: w[panel][k][64 outputs], as src/gpu/pack.rs packs them.
@group(1) @binding(0) var<storage, read> weights: array<vec2u>;

// Four neighbouring outputs' weights for input k; `panel` counts from the binding's start.
fn load_w(panel: u32, k: u32, quad: u32) -> vec4f {
    let p = weights[(panel * K + k) * 16u + quad];
    return bitcast<vec4f>(vec4u(p.x << 16u, p.x & 0xffff0000u, p.y << 16u, p.y & 0xffff0000u));
}

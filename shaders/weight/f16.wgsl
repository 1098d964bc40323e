// Panels of f16, two to a word: w[panel][k][64 outputs], as src/gpu/pack.rs packs them.
@group(1) @binding(0) var<storage, read> weights: array<vec2u>;

// Four neighbouring outputs' weights for input k; `panel` counts from the binding's start.
//
// unpack2x16float may flush what is below 2^-14, and checkpoints hold such weights: so by hand, for
// finite halves, with normal numbers throughout.
fn load_w(panel: u32, k: u32, quad: u32) -> vec4f {
    let p = weights[(panel * K + k) * 16u + quad];
    let h = vec4u(p.x & 0xffffu, p.x >> 16u, p.y & 0xffffu, p.y >> 16u);
    let bits = ((h & vec4u(0x7fffu)) << vec4u(13u)) + vec4u(112u << 23u);
    let small = bitcast<vec4f>(bits + vec4u(1u << 23u)) - vec4f(0x1p-14);
    let value = select(bitcast<vec4f>(bits), small, (h & vec4u(0x7c00u)) == vec4u(0u));
    return select(value, -value, (h & vec4u(0x8000u)) != vec4u(0u));
}

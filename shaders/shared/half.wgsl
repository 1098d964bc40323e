// Four halves, two to a word, as f32.
//
// unpack2x16float may flush what is below 2^-14, and checkpoints hold such weights: so by hand, for
// finite halves, with normal numbers throughout.
fn from_halves(p: vec2u) -> vec4f {
    let h = vec4u(p.x & 0xffffu, p.x >> 16u, p.y & 0xffffu, p.y >> 16u);
    let bits = ((h & vec4u(0x7fffu)) << vec4u(13u)) + vec4u(112u << 23u);
    let small = bitcast<vec4f>(bits + vec4u(1u << 23u)) - vec4f(0x1p-14);
    let value = select(bitcast<vec4f>(bits), small, (h & vec4u(0x7c00u)) == vec4u(0u));
    return select(value, -value, (h & vec4u(0x8000u)) != vec4u(0u));
}

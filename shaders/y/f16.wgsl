// What is written is f16, four values to a vec2u; beyond its range NaN, which the encoder finds.
alias Y = vec2u;
alias Pair = u32;

fn to_y(v: vec4f) -> Y {
    let h = clamp(v, vec4f(-65504.0), vec4f(65504.0));
    let none = select(vec4u(0x7fffu), vec4u(0u), abs(v) <= vec4f(65504.0));
    let packed = vec2u(pack2x16float(h.xy), pack2x16float(h.zw));
    return packed | none.xz | (none.yw << vec2u(16u));
}

fn to_pair(v: vec2f) -> Pair {
    return to_y(vec4f(v, v)).x;
}

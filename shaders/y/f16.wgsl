// What is written is f16, four values to a vec2u; beyond its range the largest half.
alias Y = vec2u;

fn to_y(v: vec4f) -> Y {
    let h = clamp(v, vec4f(-65504.0), vec4f(65504.0));
    return vec2u(pack2x16float(h.xy), pack2x16float(h.zw));
}

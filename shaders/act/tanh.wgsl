// GELU with tanh: ½ x (1 + tanh(u)), u = √(2/π) (x + 0.044715 x³), which is x σ(2u).
//
// From 30 on tanh is 1 to the last bit, and x³ stays small.
fn activation(x: vec4f) -> vec4f {
    let c = clamp(x, vec4f(-30.0), vec4f(30.0));
    return times_logistic(x, 1.5957691216 * (c + 0.044715 * c * c * c));
}

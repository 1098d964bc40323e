// Quick GELU: x σ(1.702 x).
fn activation(x: vec4f) -> vec4f {
    return times_logistic(x, 1.702 * x);
}

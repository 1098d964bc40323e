// SiLU: x σ(x).
fn activation(x: vec4f) -> vec4f {
    return times_logistic(x, x);
}

// x · σ(t). Below -80 it is 0, so that no exponential comes near the end of f32's range; NaN stays NaN.
fn times_logistic(x: vec4f, t: vec4f) -> vec4f {
    let below = t < vec4f(-80.0);
    return select(x, vec4f(), below) / (1.0 + exp(clamp(-t, vec4f(-80.0), vec4f(80.0))));
}

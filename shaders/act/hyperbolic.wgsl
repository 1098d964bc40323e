// tanh(x); from 15 on it is 1 to the last bit.
fn activation(x: vec4f) -> vec4f {
    return tanh(clamp(x, vec4f(-15.0), vec4f(15.0)));
}

// max(x, 0)
fn activation(x: vec4f) -> vec4f {
    return max(x, vec4f());
}

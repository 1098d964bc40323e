// No activation.
fn activation(x: vec4f) -> vec4f {
    return x;
}

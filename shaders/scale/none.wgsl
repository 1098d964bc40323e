// No LayerScale.
fn scaled(quad: u32, value: vec4f) -> vec4f {
    return value;
}

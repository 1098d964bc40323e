// LayerScale.
@group(2) @binding(2) var<storage, read> scale: array<vec4f>; // [COLS]

fn scaled(quad: u32, value: vec4f) -> vec4f {
    return scale[quad] * value;
}

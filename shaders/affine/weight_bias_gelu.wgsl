@group(2) @binding(0) var<storage, read> weight: array<vec4f>; // [C]
@group(2) @binding(1) var<storage, read> bias: array<vec4f>;   // [C]

fn affine(quad: u32, value: vec4f) -> vec4f {
    return gelu(value * weight[quad] + bias[quad]);
}

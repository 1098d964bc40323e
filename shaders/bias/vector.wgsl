// A linear layer's bias.
@group(2) @binding(1) var<storage, read> bias: array<vec4f>; // [planes · COLS]

fn biased(plane: u32, quad: u32, sum: vec4f) -> vec4f {
    return sum + bias[plane * (COLS / 4u) + quad];
}

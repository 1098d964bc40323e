// y = gelu(s + bias)
@group(2) @binding(0) var<storage, read_write> y: array<Y>;
@group(2) @binding(1) var<storage, read> bias: array<vec4f>; // [COLS]

fn finish(plane: u32, row: u32, quad: u32, sum: vec4f) {
    y[row * (COLS / 4u) + quad] = to_y(gelu(sum + bias[quad]));
}

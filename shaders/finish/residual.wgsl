// y += scale ⊙ (s + bias): LayerScale and residual, in place
@group(2) @binding(0) var<storage, read_write> y: array<vec4f>;
@group(2) @binding(1) var<storage, read> bias: array<vec4f>;  // [COLS]
@group(2) @binding(2) var<storage, read> scale: array<vec4f>; // [COLS]

fn finish(plane: u32, row: u32, quad: u32, sum: vec4f) {
    let at = row * (COLS / 4u) + quad;
    y[at] += scale[quad] * (sum + bias[quad]);
}

// The bias of a gated linear layer, whose sums are gate, up, gate, up.
@group(2) @binding(1) var<storage, read> bias: array<vec2f>; // [gates, then ups: COLS]

fn biased(plane: u32, quad: u32, sum: vec4f) -> vec4f {
    let gate = bias[quad];
    let up = bias[COLS / 4u + quad];
    return sum + vec4f(gate.x, up.x, gate.y, up.y);
}

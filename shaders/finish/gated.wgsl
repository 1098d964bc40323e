// y = scale ⊙ activation(gate) ⊙ up, of sums that are gate, up, gate, up; COLS counts both.
// Holes: biased(plane, quad, s), activation(v), scaled(quad, v).
@group(2) @binding(0) var<storage, read_write> y: array<Pair>;

fn finish(plane: u32, row: u32, quad: u32, sum: vec4f) {
    let s = biased(plane, quad, sum);
    let pair = activation(s).xz * s.yw;
    // Half of a quad of the result.
    let scaled_quad = scaled(quad / 2u, vec4f(pair, pair));
    y[row * (COLS / 4u) + quad] = to_pair(select(scaled_quad.xy, scaled_quad.zw, quad % 2u == 1u));
}

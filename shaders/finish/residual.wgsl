// y += scale ⊙ activation(s + bias): y holds the residual, and is one plane
// Holes: biased(plane, quad, s), activation(v), scaled(quad, v).
@group(2) @binding(0) var<storage, read_write> y: array<vec4f>;

fn finish(plane: u32, row: u32, quad: u32, sum: vec4f) {
    y[row * (COLS / 4u) + quad] += scaled(quad, activation(biased(plane, quad, sum)));
}

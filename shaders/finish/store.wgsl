// y = scale ⊙ activation(s + bias)
// Holes: biased(plane, quad, s), activation(v), scaled(quad, v).
@group(2) @binding(0) var<storage, read_write> y: array<Y>;

fn finish(plane: u32, row: u32, quad: u32, sum: vec4f) {
    y[(plane - size.first_plane) * size.plane_stride + row * (COLS / 4u) + quad] =
        to_y(scaled(quad, activation(biased(plane, quad, sum))));
}

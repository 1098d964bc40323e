// A row as it is.
@group(0) @binding(1) var<storage, read> x: array<X>; // [rows, K]

fn load_row(row: u32, quad: u32) -> vec4f {
    return from_x(x[row * (K / 4u) + quad]);
}

fn weighed(quad: u32, v: vec4f) -> vec4f {
    return v;
}

fn row_factor(squares: f32) -> f32 {
    return 1.0;
}

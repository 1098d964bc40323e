// Rows as they are.
@group(0) @binding(1) var<storage, read> x: array<vec4f>; // [rows, K]

fn load_x(row: u32, quad: u32) -> vec4f {
    return x[row * (K / 4u) + quad];
}

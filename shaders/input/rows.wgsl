// Rows as they are.
@group(0) @binding(1) var<storage, read> x: array<X>; // [rows, K]

fn load_x(row: u32, quad: u32) -> vec4f {
    return from_x(x[row * (K / 4u) + quad]);
}

// Reads and writes the same slot.
@group(1) @binding(0) var<storage, read_write> y: array<vec4f>;

fn load_x(quad: u32) -> vec4f {
    return y[quad];
}

fn store_y(quad: u32, value: vec4f) {
    y[quad] = value;
}

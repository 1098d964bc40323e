// Reads one slot and writes another.
@group(1) @binding(0) var<storage, read> x: array<vec4f>;
@group(1) @binding(1) var<storage, read_write> y: array<vec4f>;

fn load_x(quad: u32) -> vec4f {
    return x[quad];
}

fn store_y(quad: u32, value: vec4f) {
    y[quad] = value;
}

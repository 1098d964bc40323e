// Reads one slot and writes another.
@group(1) @binding(0) var<storage, read> x: array<X>;
@group(1) @binding(1) var<storage, read_write> y: array<Y>;

fn load_x(quad: u32) -> vec4f {
    return from_x(x[quad]);
}

fn store_y(quad: u32, value: vec4f) {
    y[quad] = to_y(value);
}

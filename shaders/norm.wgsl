// LayerNorm: (x - mean) / sqrt(variance + EPS); RMSNorm: x / sqrt(mean(x²) + EPS); then affine.
//
// A workgroup owns a row; each lane every 64th quad of it. Statistics in f32, the variance from
// centred values, for rows with a large mean.
// Holes: affine(quad, v) in group 2, activation(v), and the types X and Y of what is read and written.
const C = 192u;     // channels; a row that is no whole number of quads ends with zeros
const LAYER = true; // LayerNorm, otherwise RMSNorm
const EPS = 1e-6;

const QUADS = (C + 3u) / 4u;

@group(1) @binding(0) var<storage, read> x: array<X>;       // [rows, C]
@group(1) @binding(1) var<storage, read_write> y: array<Y>; // [rows, C]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let row = group.y * groups.x + group.x;
    if row >= size.rows {
        return;
    }
    let start = row * QUADS;
    var mean = 0.0;
    if LAYER {
        var sum = vec4f();
        for (var i = lane; i < QUADS; i += 64u) {
            sum += from_x(x[start + i]);
        }
        mean = workgroup_sum(lane, dot(sum, vec4f(1.0))) / f32(C);
    }
    var squares = 0.0;
    for (var i = lane; i < QUADS; i += 64u) {
        let v = inside(i, from_x(x[start + i]) - mean);
        squares += dot(v, v);
    }
    let scale = inverseSqrt(workgroup_sum(lane, squares) / f32(C) + EPS);
    for (var i = lane; i < QUADS; i += 64u) {
        y[start + i] = to_y(activation(affine(i, (from_x(x[start + i]) - mean) * scale)));
    }
}

// A quad of a row, zero beyond its last channel.
fn inside(quad: u32, v: vec4f) -> vec4f {
    if C % 4u == 0u || quad + 1u < QUADS {
        return v;
    }
    return select(vec4f(), v, vec4u(0u, 1u, 2u, 3u) < vec4u(C % 4u));
}

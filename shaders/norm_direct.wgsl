// LayerNorm and RMSNorm as in norm.wgsl, for software adapters: an invocation owns a row, so there is
// neither workgroup memory nor a barrier.
// Holes: affine(quad, v) in group 2, activation(v), and the types X and Y of what is read and written.
const C = 192u;
const LAYER = true; // LayerNorm, otherwise RMSNorm
const EPS = 1e-6;

@group(1) @binding(0) var<storage, read> x: array<X>;       // [rows, C]
@group(1) @binding(1) var<storage, read_write> y: array<Y>; // [rows, C]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let row = (group.y * groups.x + group.x) * 64u + lane;
    if row >= size.rows {
        return;
    }
    let start = row * (C / 4u);
    var mean = 0.0;
    if LAYER {
        var sum = vec4f();
        for (var i = 0u; i < C / 4u; i++) {
            sum += from_x(x[start + i]);
        }
        mean = dot(sum, vec4f(1.0)) / f32(C);
    }
    var squares = vec4f();
    for (var i = 0u; i < C / 4u; i++) {
        let v = from_x(x[start + i]) - mean;
        squares += v * v;
    }
    let scale = inverseSqrt(dot(squares, vec4f(1.0)) / f32(C) + EPS);
    for (var i = 0u; i < C / 4u; i++) {
        y[start + i] = to_y(activation(affine(i, (from_x(x[start + i]) - mean) * scale)));
    }
}

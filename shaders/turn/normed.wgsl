// Heads of queries and keys with RMSNorm: x / sqrt(mean(x²) + EPS) · weight.
const EPS = 1e-6;

@group(1) @binding(2) var<storage, read> weight: array<vec4f>; // [D]

fn head_quad(first: u32, quad: u32) -> vec4f {
    return x[first + quad] * weight[quad];
}

fn head_factor(first: u32) -> f32 {
    var squares = vec4f();
    for (var i = 0u; i < D4; i++) {
        squares += x[first + i] * x[first + i];
    }
    return inverseSqrt(dot(squares, vec4f(1.0)) / f32(D) + EPS);
}

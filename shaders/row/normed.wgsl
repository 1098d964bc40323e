// A row with RMSNorm, which is never stored: x / sqrt(mean(x²) + EPS) · weight. What all channels are divided by, the
// sums are.
const EPS = 1e-6;
const CHANNELS = 192u; // of the row, without the zeros behind them

@group(0) @binding(1) var<storage, read> x: array<X>;          // [rows, K]
@group(0) @binding(2) var<storage, read> weight: array<vec4f>; // [K]

fn load_row(row: u32, quad: u32) -> vec4f {
    return from_x(x[row * (K / 4u) + quad]);
}

fn weighed(quad: u32, v: vec4f) -> vec4f {
    return v * weight[quad];
}

fn row_factor(squares: f32) -> f32 {
    return inverseSqrt(squares / f32(CHANNELS) + EPS);
}

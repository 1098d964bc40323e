// Heads of queries and keys that are not normed.
fn head_quad(first: u32, quad: u32) -> vec4f {
    return x[first + quad];
}

fn head_factor(first: u32) -> f32 {
    return 1.0;
}

// A linear layer without a bias.
fn biased(plane: u32, quad: u32, sum: vec4f) -> vec4f {
    return sum;
}

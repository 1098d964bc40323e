// Weights in few bits that are multiplied in f16. Hole: load_w(panel, k, quad) in group 1.
fn load_half(panel: u32, k: u32, quad: u32) -> vec4<f16> {
    return vec4<f16>(load_w(panel, k, quad));
}

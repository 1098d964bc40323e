// Four inputs' weights by load_w, which leaves no factor to be multiplied later.

// Four neighbouring outputs' weights for four neighbouring inputs, a column each, but for a factor of each output.
fn load_w4(panel: u32, k: u32, quad: u32) -> mat4x4f {
    return mat4x4f(load_w(panel, k, quad), load_w(panel, k + 1u, quad),
        load_w(panel, k + 2u, quad), load_w(panel, k + 3u, quad));
}

fn load_factor(panel: u32, quad: u32) -> vec4f {
    return vec4f(1.0);
}

// Eight outputs of a product by load_w4(panel, k, quad), whatever the weights' format.
fn eight(panel: u32, k: u32, octet: u32, v: vec4f) -> Eight {
    return Eight(load_w4(panel, k, 2u * octet) * v, load_w4(panel, k, 2u * octet + 1u) * v);
}

// What no group of inputs is multiplied by.
fn load_step(panel: u32, k: u32, quad: u32) -> vec4f {
    return vec4f(1.0);
}

// Eight outputs of a product with weights of weight/int8; a code counts 2²⁴-fold, and as a part of 127.
fn eight(panel: u32, k: u32, octet: u32, v: vec4f) -> Eight {
    return Eight(four(load_codes(panel, k / 4u, 2u * octet), v), four(load_codes(panel, k / 4u, 2u * octet + 1u), v));
}

// Four outputs, of whose words each has four inputs.
fn four(words: vec4u, v: vec4f) -> vec4f {
    return high(words << vec4u(24u)) * v.x + high(words << vec4u(16u)) * v.y + high(words << vec4u(8u)) * v.z
        + high(words) * v.w;
}

// The highest codes of four words.
fn high(words: vec4u) -> vec4f {
    return vec4f(vec4i(words & vec4u(0xff000000u)));
}

fn load_step(panel: u32, k: u32, quad: u32) -> vec4f {
    return vec4f(0x1p-24 / 127.0);
}

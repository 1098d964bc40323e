// Eight outputs of a product with weights of weight/int4, each of whose words is read once; a code counts 2²⁸-fold.
fn eight(panel: u32, k: u32, octet: u32, v: vec4f) -> Eight {
    let words = vec4i(weights[(panel * (K / 4u) + k / 4u) * 8u + octet]); // of four inputs
    return Eight(
        vec4f(dot(high(words << vec4u(28u)), v), dot(high(words << vec4u(24u)), v),
            dot(high(words << vec4u(20u)), v), dot(high(words << vec4u(16u)), v)),
        vec4f(dot(high(words << vec4u(12u)), v), dot(high(words << vec4u(8u)), v),
            dot(high(words << vec4u(4u)), v), dot(high(words), v)),
    );
}

// The highest code of four words.
fn high(words: vec4i) -> vec4f {
    return vec4f(words & vec4i(-0x10000000));
}

fn load_step(panel: u32, k: u32, quad: u32) -> vec4f {
    return load_scale(panel, k, quad) * 0x1p-28;
}

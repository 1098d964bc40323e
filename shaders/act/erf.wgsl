// GELU with the error function: ½ x (1 + erf(x/√2)).
//
// erf: Abramowitz and Stegun 7.1.28 would do to 3e-7; this is 7.1.26's form with the exponential,
// absolute error 1.5e-7 (the standard's coefficients). Beyond 10 it is 1, and no square overflows.
fn activation(x: vec4f) -> vec4f {
    return 0.5 * x * (1.0 + erf(x * 0.70710678));
}

fn erf(x: vec4f) -> vec4f {
    let a = min(abs(x), vec4f(10.0));
    let t = 1.0 / (1.0 + 0.3275911 * a);
    let p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t
        + 0.254829592) * t;
    return sign(x) * (1.0 - p * exp(-a * a));
}

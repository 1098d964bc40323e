// What is read is f16, four values to a vec2u: no device needs the feature shader-f16 for it.
alias X = vec2u;

fn from_x(x: X) -> vec4f {
    return vec4f(unpack2x16float(x.x), unpack2x16float(x.y));
}

// What is read is f32.
alias X = vec4f;

fn from_x(x: X) -> vec4f {
    return x;
}

// What is written is f32.
alias Y = vec4f;

fn to_y(v: vec4f) -> Y {
    return v;
}

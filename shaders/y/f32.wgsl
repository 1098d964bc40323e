// What is written is f32.
alias Y = vec4f;
alias Pair = vec2f;

fn to_y(v: vec4f) -> Y {
    return v;
}

fn to_pair(v: vec2f) -> Pair {
    return v;
}

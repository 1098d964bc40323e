// A quad of four keys' values for attention_direct and attention_subgroup; keys past the last one repeat it.
fn values(at: u32, key: u32, last: u32) -> mat4x4f {
    return mat4x4f(from_x(v[at + min(key, last) * ROW]),
        from_x(v[at + min(key + 1u, last) * ROW]), from_x(v[at + min(key + 2u, last) * ROW]),
        from_x(v[at + min(key + 3u, last) * ROW]));
}

// What attention_subgroup and causal_subgroup have in common: scores and sums of sixteen queries, of which each lane of a
// subgroup of 8 holds two, with keys that lie in lanes too.
const LOWEST = vec4f(-3e38);

struct Rows { a: mat4x4f, b: mat4x4f, c: mat4x4f, d: mat4x4f } // of sixteen queries

// Scores with what the queries of lanes 0 to 3 add, and of lanes 4 to 7.
fn scores_low(s: mat4x4f, x: vec4f, keys: mat4x4f) -> mat4x4f {
    return mat4x4f(s[0] + subgroupBroadcast(x, 0u) * keys, s[1] + subgroupBroadcast(x, 1u) * keys,
        s[2] + subgroupBroadcast(x, 2u) * keys, s[3] + subgroupBroadcast(x, 3u) * keys);
}

fn scores_high(s: mat4x4f, x: vec4f, keys: mat4x4f) -> mat4x4f {
    return mat4x4f(s[0] + subgroupBroadcast(x, 4u) * keys, s[1] + subgroupBroadcast(x, 5u) * keys,
        s[2] + subgroupBroadcast(x, 6u) * keys, s[3] + subgroupBroadcast(x, 7u) * keys);
}

fn row_max(s: mat4x4f) -> vec4f {
    let t = transpose(s);
    return max(max(t[0], t[1]), max(t[2], t[3]));
}

fn row_sum(s: mat4x4f) -> vec4f {
    return vec4f(1.0) * s;
}

fn row_weights(s: mat4x4f, best: vec4f) -> mat4x4f {
    return mat4x4f(exp(s[0] - best.x), exp(s[1] - best.y), exp(s[2] - best.z), exp(s[3] - best.w));
}

// Sums of four queries with eight keys' values by the weights that the lanes hold.
fn accumulate(sums: mat4x4f, u: mat4x4f, v: mat4x4f, s: mat4x4f, j: u32) -> mat4x4f {
    let w = vec4f(s[0][j], s[1][j], s[2][j], s[3][j]);
    let a = add_weighted(add_weighted(sums, u[0], subgroupBroadcast(w, 0u)), u[1], subgroupBroadcast(w, 1u));
    let b = add_weighted(add_weighted(a, u[2], subgroupBroadcast(w, 2u)), u[3], subgroupBroadcast(w, 3u));
    let c = add_weighted(add_weighted(b, v[0], subgroupBroadcast(w, 4u)), v[1], subgroupBroadcast(w, 5u));
    return add_weighted(add_weighted(c, v[2], subgroupBroadcast(w, 6u)), v[3], subgroupBroadcast(w, 7u));
}

fn add_weighted(sums: mat4x4f, v: vec4f, w: vec4f) -> mat4x4f {
    return mat4x4f(sums[0] + v * w.x, sums[1] + v * w.y, sums[2] + v * w.z, sums[3] + v * w.w);
}

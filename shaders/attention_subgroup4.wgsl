// softmax(q · kᵀ / √D) · v with an online softmax, for software adapters with subgroups of 4 (SwiftShader) and heads of
// at most 64 channels: lanes share what they load, as in linear_subgroup4, and sums stay in variables.
//
// A workgroup is a subgroup and owns sixteen queries of one head; it takes 16 keys at a time. Lane l has their
// scores with keys l, l + 4, l + 8 and l + 12, and the output's quads l, l + 4, l + 8 and l + 12.
// Holes: the type X of what is read.
const D = 64u;     // channels of a head, a multiple of 4
const HEADS = 3u;

const D4 = D / 4u;
const ROW = HEADS * D4;
const SCALE = 1.0 / sqrt(f32(D));
const LOWEST = vec4f(-3e38);
const_assert D % 4u == 0u && D <= 64u;

struct Scores { a: mat4x4f, b: mat4x4f, c: mat4x4f, d: mat4x4f } // of sixteen queries, four to a matrix
struct Weights { a: vec4f, b: vec4f, c: vec4f, d: vec4f }        // of sixteen queries with one key
struct Sums { x: mat4x4f, y: mat4x4f, z: mat4x4f, w: mat4x4f }   // of four queries, a column a quad of the lane's

@group(0) @binding(1) var<storage, read> q: array<X>;           // [batch · tokens, HEADS · D]
@group(0) @binding(2) var<storage, read> k: array<X>;           // [batch · tokens, HEADS · D]
@group(0) @binding(3) var<storage, read> v: array<X>;           // [batch · tokens, HEADS · D]
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>; // [batch · tokens, HEADS · D]

@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let start = group.z * size.tokens * ROW + group.y * D4; // the head's first quad in its picture
    let last = size.tokens - 1u;
    let first = group.x * 16u;
    let queries = start + min(vec4u(first + lane) + vec4u(0u, 4u, 8u, 12u), vec4u(last)) * ROW;
    let quads = start + min(vec4u(lane) + vec4u(0u, 4u, 8u, 12u), vec4u(D4 - 1u));
    var best = mat4x4f(LOWEST, LOWEST, LOWEST, LOWEST); // of each query's scores, four to a column
    var total = mat4x4f(); // of their weights with the lane's own keys
    var a = Sums();
    var b = Sums();
    var c = Sums();
    var d = Sums();
    for (var key = 0u; key < size.tokens; key += 16u) {
        let s = scores(queries, start, key + lane, last);
        let highest = mat4x4f(max(best[0], subgroupMax(row_max(s.a))), max(best[1], subgroupMax(row_max(s.b))),
            max(best[2], subgroupMax(row_max(s.c))), max(best[3], subgroupMax(row_max(s.d))));
        let change = best - highest;
        let rescale = mat4x4f(exp(change[0]), exp(change[1]), exp(change[2]), exp(change[3]));
        best = highest;
        // A column a key of the lane's.
        let w = Scores(transpose(row_weights(s.a, best[0])), transpose(row_weights(s.b, best[1])),
            transpose(row_weights(s.c, best[2])), transpose(row_weights(s.d, best[3])));
        total = mat4x4f(total[0] * rescale[0] + sum(w.a), total[1] * rescale[1] + sum(w.b),
            total[2] * rescale[2] + sum(w.c), total[3] * rescale[3] + sum(w.d));
        a = scaled(a, rescale[0]);
        b = scaled(b, rescale[1]);
        c = scaled(c, rescale[2]);
        d = scaled(d, rescale[3]);
        // A loop over what is then kept in memory, since the compiler takes long for four times its body.
        var turns = array(Weights(w.a[0], w.b[0], w.c[0], w.d[0]), Weights(w.a[1], w.b[1], w.c[1], w.d[1]),
            Weights(w.a[2], w.b[2], w.c[2], w.d[2]), Weights(w.a[3], w.b[3], w.c[3], w.d[3]));
        for (var turn = 0u; turn < 4u && key + turn * 4u <= last; turn++) {
            let own = turns[turn];
            let at = key + turn * 4u;
            let v0 = values(quads, at, last);
            a = added(a, v0, subgroupBroadcast(own.a, 0u));
            b = added(b, v0, subgroupBroadcast(own.b, 0u));
            c = added(c, v0, subgroupBroadcast(own.c, 0u));
            d = added(d, v0, subgroupBroadcast(own.d, 0u));
            let v1 = values(quads, at + 1u, last);
            a = added(a, v1, subgroupBroadcast(own.a, 1u));
            b = added(b, v1, subgroupBroadcast(own.b, 1u));
            c = added(c, v1, subgroupBroadcast(own.c, 1u));
            d = added(d, v1, subgroupBroadcast(own.d, 1u));
            let v2 = values(quads, at + 2u, last);
            a = added(a, v2, subgroupBroadcast(own.a, 2u));
            b = added(b, v2, subgroupBroadcast(own.b, 2u));
            c = added(c, v2, subgroupBroadcast(own.c, 2u));
            d = added(d, v2, subgroupBroadcast(own.d, 2u));
            let v3 = values(quads, at + 3u, last);
            a = added(a, v3, subgroupBroadcast(own.a, 3u));
            b = added(b, v3, subgroupBroadcast(own.b, 3u));
            c = added(c, v3, subgroupBroadcast(own.c, 3u));
            d = added(d, v3, subgroupBroadcast(own.d, 3u));
        }
    }
    store(start, lane, first, last, scaled(a, 1.0 / subgroupAdd(total[0])));
    store(start, lane, first + 4u, last, scaled(b, 1.0 / subgroupAdd(total[1])));
    store(start, lane, first + 8u, last, scaled(c, 1.0 / subgroupAdd(total[2])));
    store(start, lane, first + 12u, last, scaled(d, 1.0 / subgroupAdd(total[3])));
}

// Of the queries of all lanes with the lane's keys own, own + 4, own + 8 and own + 12.
fn scores(queries: vec4u, start: u32, own: u32, last: u32) -> Scores {
    let keys = vec4u(own) + vec4u(0u, 4u, 8u, 12u);
    let rows = start + min(keys, vec4u(last)) * ROW;
    // Keys past the last one weigh nothing.
    let beyond = select(vec4f(), LOWEST, keys > vec4u(last));
    let none = mat4x4f(beyond, beyond, beyond, beyond);
    var s = Scores(none, none, none, none);
    for (var i = 0u; i < D4; i++) {
        let own = mat4x4f(from_x(k[rows.x + i]), from_x(k[rows.y + i]), from_x(k[rows.z + i]), from_x(k[rows.w + i]));
        s = Scores(scored(s.a, from_x(q[queries.x + i]), own), scored(s.b, from_x(q[queries.y + i]), own),
            scored(s.c, from_x(q[queries.z + i]), own), scored(s.d, from_x(q[queries.w + i]), own));
    }
    return s;
}

fn scored(s: mat4x4f, x: vec4f, keys: mat4x4f) -> mat4x4f {
    let y = x * SCALE;
    return mat4x4f(s[0] + subgroupBroadcast(y, 0u) * keys, s[1] + subgroupBroadcast(y, 1u) * keys,
        s[2] + subgroupBroadcast(y, 2u) * keys, s[3] + subgroupBroadcast(y, 3u) * keys);
}

fn row_max(s: mat4x4f) -> vec4f {
    let t = transpose(s);
    return max(max(t[0], t[1]), max(t[2], t[3]));
}

fn row_weights(s: mat4x4f, best: vec4f) -> mat4x4f {
    return mat4x4f(exp(s[0] - best.x), exp(s[1] - best.y), exp(s[2] - best.z), exp(s[3] - best.w));
}

fn sum(columns: mat4x4f) -> vec4f {
    return columns[0] + columns[1] + columns[2] + columns[3];
}

// A key's values, the lane's quads of them.
fn values(quads: vec4u, key: u32, last: u32) -> mat4x4f {
    let at = quads + min(key, last) * ROW;
    return mat4x4f(from_x(v[at.x]), from_x(v[at.y]), from_x(v[at.z]), from_x(v[at.w]));
}

fn scaled(sums: Sums, by: vec4f) -> Sums {
    return Sums(sums.x * by.x, sums.y * by.y, sums.z * by.z, sums.w * by.w);
}

fn added(sums: Sums, v: mat4x4f, w: vec4f) -> Sums {
    return Sums(sums.x + v * w.x, sums.y + v * w.y, sums.z + v * w.z, sums.w + v * w.w);
}

fn store(start: u32, lane: u32, query: u32, last: u32, sums: Sums) {
    let rows = array(sums.x, sums.y, sums.z, sums.w);
    for (var i = 0u; i < 4u && query + i <= last; i++) {
        let at = start + (query + i) * ROW + lane;
        for (var quad = 0u; lane + quad * 4u < D4; quad++) {
            y[at + quad * 4u] = rows[i][quad];
        }
    }
}

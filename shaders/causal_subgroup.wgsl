// As causal, for software adapters with subgroups of 8: lanes share what they load, as in attention_subgroup.
//
// A workgroup is a subgroup of 8 and owns sixteen queries of all heads that read one key head, query p being of row
// p / GROUP; it takes 32 keys at a time. Lane l has their scores with keys l, l + 8, l + 16 and l + 24, then the output's
// quads l, l + 8, …, which gather in y itself.
// Holes: turned(first, row, quad) in group 1, and the type X of what the state holds.
const D = 64u;        // channels of a head, a multiple of 8, at most 256
const HEADS = 4u;     // of queries
const KEY_HEADS = 2u; // of keys and values

const D4 = D / 4u;
const SIDE = KEY_HEADS * D4; // quads of all keys of a token, and of all values behind them
const WIDTH = HEADS * D4 + 2u * SIDE;
const GROUP = HEADS / KEY_HEADS;
const SHARES = (D4 + 7u) / 8u; // of the output's quads, a lane's
const SCALE = 1.0 / sqrt(f32(D));
const_assert D % 8u == 0u && D <= 256u && HEADS % KEY_HEADS == 0u;

@group(0) @binding(1) var<storage, read> state: array<X>;       // [capacity, 2 · KEY_HEADS · D]
@group(0) @binding(2) var<storage, read> place: array<f32>;     // rows that the state held before
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>; // [rows, HEADS · D]

var<workgroup> queries: array<vec4f, 16u * D4>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first = group.x * 16u;
    let last = size.rows * GROUP - 1u; // queries past it repeat it: they write what it writes
    let start = group.y * D4;          // the key head's first quad
    for (var i = lane; i < 16u * D4; i += 8u) {
        let p = min(first + i / D4, last);
        let head = group.y * GROUP + p % GROUP;
        queries[i] = turned(p / GROUP * WIDTH + head * D4, p / GROUP, i % D4) * SCALE;
    }
    workgroupBarrier();
    let before = u32(place[0]);
    let end = before + min(first + 15u, last) / GROUP; // the last key that any of them sees
    var best = mat4x4f(LOWEST, LOWEST, LOWEST, LOWEST); // of each query's scores, four to a column
    var total = mat4x4f(); // of their weights with the lane's own keys
    for (var key = 0u; key <= end; key += 32u) {
        let own = key + lane;
        var s = Rows(unseen(own, first, last, before), unseen(own, first + 4u, last, before),
            unseen(own, first + 8u, last, before), unseen(own, first + 12u, last, before));
        for (var i = 0u; i < D4; i++) {
            let keys = mat4x4f(key_at(own, end, start + i), key_at(own + 8u, end, start + i),
                key_at(own + 16u, end, start + i), key_at(own + 24u, end, start + i));
            let a = queries[lane * D4 + i];
            let b = queries[(lane + 8u) * D4 + i];
            s = Rows(scores_low(s.a, a, keys), scores_high(s.b, a, keys), scores_low(s.c, b, keys),
                scores_high(s.d, b, keys));
        }
        let highest = mat4x4f(max(best[0], subgroupMax(row_max(s.a))), max(best[1], subgroupMax(row_max(s.b))),
            max(best[2], subgroupMax(row_max(s.c))), max(best[3], subgroupMax(row_max(s.d))));
        let change = best - highest;
        let rescale = mat4x4f(exp(change[0]), exp(change[1]), exp(change[2]), exp(change[3]));
        best = highest;
        s = Rows(row_weights(s.a, best[0]), row_weights(s.b, best[1]), row_weights(s.c, best[2]),
            row_weights(s.d, best[3]));
        total = mat4x4f(total[0] * rescale[0] + row_sum(s.a), total[1] * rescale[1] + row_sum(s.b),
            total[2] * rescale[2] + row_sum(s.c), total[3] * rescale[3] + row_sum(s.d));
        let eights = min(4u, (end - key + 8u) / 8u); // of keys that weigh something
        for (var share = 0u; share < SHARES; share++) {
            let quad = share * 8u + lane;
            let at = min(quad, D4 - 1u);
            var sums = Rows();
            if key > 0u {
                sums = rescaled(group.y, at, first, last, rescale);
            }
            for (var j = 0u; j < eights; j++) {
                let u = values(start + at, key + 8u * j, end);
                let v = values(start + at, key + 8u * j + 4u, end);
                sums = Rows(accumulate(sums.a, u, v, s.a, j), accumulate(sums.b, u, v, s.b, j),
                    accumulate(sums.c, u, v, s.c, j), accumulate(sums.d, u, v, s.d, j));
            }
            if quad < D4 {
                store(group.y, at, first, last, sums);
            }
        }
    }
    let scale = mat4x4f(1.0 / subgroupAdd(total[0]), 1.0 / subgroupAdd(total[1]),
        1.0 / subgroupAdd(total[2]), 1.0 / subgroupAdd(total[3]));
    for (var at = lane; at < D4; at += 8u) {
        store(group.y, at, first, last, rescaled(group.y, at, first, last, scale));
    }
}

// What four queries' scores with the keys own, own + 8, … begin with: keys that a query does not see weigh nothing.
fn unseen(own: u32, p: u32, last: u32, before: u32) -> mat4x4f {
    let keys = vec4u(0u, 8u, 16u, 24u) + own;
    let seen = vec4u(before) + min(vec4u(p, p + 1u, p + 2u, p + 3u), vec4u(last)) / vec4u(GROUP);
    return mat4x4f(select(vec4f(), LOWEST, keys > seen.xxxx), select(vec4f(), LOWEST, keys > seen.yyyy),
        select(vec4f(), LOWEST, keys > seen.zzzz), select(vec4f(), LOWEST, keys > seen.wwww));
}

fn key_at(key: u32, end: u32, at: u32) -> vec4f {
    return from_x(state[min(key, end) * 2u * SIDE + at]);
}

// A quad of four keys' values.
fn values(at: u32, key: u32, end: u32) -> mat4x4f {
    return mat4x4f(key_at(key, end, SIDE + at), key_at(key + 1u, end, SIDE + at), key_at(key + 2u, end, SIDE + at),
        key_at(key + 3u, end, SIDE + at));
}

// Where a query's quad lies in y.
fn place_of(key_head: u32, at: u32, p: u32, last: u32) -> u32 {
    let own = min(p, last);
    return (own / GROUP * HEADS + key_head * GROUP + own % GROUP) * D4 + at;
}

// The sums that y holds, times `scale`.
fn rescaled(head: u32, at: u32, p: u32, last: u32, scale: mat4x4f) -> Rows {
    return Rows(rescaled_four(head, at, p, last, scale[0]), rescaled_four(head, at, p + 4u, last, scale[1]),
        rescaled_four(head, at, p + 8u, last, scale[2]), rescaled_four(head, at, p + 12u, last, scale[3]));
}

fn rescaled_four(head: u32, at: u32, p: u32, last: u32, scale: vec4f) -> mat4x4f {
    return mat4x4f(y[place_of(head, at, p, last)] * scale.x, y[place_of(head, at, p + 1u, last)] * scale.y,
        y[place_of(head, at, p + 2u, last)] * scale.z, y[place_of(head, at, p + 3u, last)] * scale.w);
}

fn store(head: u32, at: u32, p: u32, last: u32, rows: Rows) {
    store_four(head, at, p, last, rows.a);
    store_four(head, at, p + 4u, last, rows.b);
    store_four(head, at, p + 8u, last, rows.c);
    store_four(head, at, p + 12u, last, rows.d);
}

fn store_four(head: u32, at: u32, p: u32, last: u32, rows: mat4x4f) {
    y[place_of(head, at, p, last)] = rows[0];
    y[place_of(head, at, p + 1u, last)] = rows[1];
    y[place_of(head, at, p + 2u, last)] = rows[2];
    y[place_of(head, at, p + 3u, last)] = rows[3];
}

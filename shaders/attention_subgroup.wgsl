// softmax(q · kᵀ / √D) · v with an online softmax, for software adapters with subgroups of 8: as
// attention_direct, but lanes share what they load, as in linear_subgroup.
//
// A workgroup is a subgroup of 8 and owns sixteen queries of one head; it takes 32 keys at a time. Lane l
// has their scores with keys l, l + 8, l + 16 and l + 24, then the output's quads l, l + 8, …, which gather
// in y itself, which therefore is f32. Holes: the type X of what is read,
// values(at, key, last).
const D = 64u;     // channels of a head, a multiple of 4
const HEADS = 3u;

const D4 = D / 4u;
const ROW = HEADS * D4;
const SHARES = (D4 + 7u) / 8u; // of the output's quads, a lane's
const SCALE = 1.0 / sqrt(f32(D));
const_assert D % 4u == 0u;

@group(0) @binding(1) var<storage, read> q: array<X>;           // [batch · tokens, HEADS · D]
@group(0) @binding(2) var<storage, read> k: array<X>;           // [batch · tokens, HEADS · D]
@group(0) @binding(3) var<storage, read> v: array<X>;           // [batch · tokens, HEADS · D]
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>; // [batch · tokens, HEADS · D]

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let start = group.z * size.tokens * ROW + group.y * D4; // the head's first quad in its picture
    let last = size.tokens - 1u;
    let first = group.x * 16u;
    // Queries past the last one repeat it: they write what it writes.
    let low = min(first + lane, last) * ROW;
    let high = min(first + lane + 8u, last) * ROW;
    var best = mat4x4f(LOWEST, LOWEST, LOWEST, LOWEST); // of each query's scores, four to a column
    var total = mat4x4f(); // of their weights with the lane's own keys
    for (var key = 0u; key < size.tokens; key += 32u) {
        let own = key + lane;
        // Keys past the last one weigh nothing.
        let beyond = select(vec4f(), LOWEST, vec4u(0u, 8u, 16u, 24u) + own > vec4u(last));
        let none = mat4x4f(beyond, beyond, beyond, beyond);
        var s = Rows(none, none, none, none);
        for (var i = start; i < start + D4; i++) {
            let keys = mat4x4f(key_at(own, last, i), key_at(own + 8u, last, i),
                key_at(own + 16u, last, i), key_at(own + 24u, last, i));
            let a = from_x(q[low + i]) * SCALE;
            let b = from_x(q[high + i]) * SCALE;
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
        let eights = min(4u, (size.tokens - key + 7u) / 8u); // of keys that weigh something
        for (var share = 0u; share < SHARES; share++) {
            let quad = share * 8u + lane;
            let at = start + min(quad, D4 - 1u);
            var sums = Rows();
            if key > 0u {
                sums = rescaled(at, first, last, rescale);
            }
            for (var j = 0u; j < eights; j++) {
                let u = values(at, key + 8u * j, last);
                let v = values(at, key + 8u * j + 4u, last);
                sums = Rows(accumulate(sums.a, u, v, s.a, j), accumulate(sums.b, u, v, s.b, j),
                    accumulate(sums.c, u, v, s.c, j), accumulate(sums.d, u, v, s.d, j));
            }
            if quad < D4 {
                store(at, first, last, sums);
            }
        }
    }
    let scale = mat4x4f(1.0 / subgroupAdd(total[0]), 1.0 / subgroupAdd(total[1]),
        1.0 / subgroupAdd(total[2]), 1.0 / subgroupAdd(total[3]));
    for (var at = start + lane; at < start + D4; at += 8u) {
        store(at, first, last, rescaled(at, first, last, scale));
    }
}

fn key_at(key: u32, last: u32, at: u32) -> vec4f {
    return from_x(k[at + min(key, last) * ROW]);
}

// The sums that y holds, times `scale`.
fn rescaled(at: u32, first: u32, last: u32, scale: mat4x4f) -> Rows {
    return Rows(rescaled_four(at, first, last, scale[0]), rescaled_four(at, first + 4u, last, scale[1]),
        rescaled_four(at, first + 8u, last, scale[2]), rescaled_four(at, first + 12u, last, scale[3]));
}

fn rescaled_four(at: u32, row: u32, last: u32, scale: vec4f) -> mat4x4f {
    return mat4x4f(y[at + min(row, last) * ROW] * scale.x, y[at + min(row + 1u, last) * ROW] * scale.y,
        y[at + min(row + 2u, last) * ROW] * scale.z, y[at + min(row + 3u, last) * ROW] * scale.w);
}

fn store(at: u32, first: u32, last: u32, rows: Rows) {
    store_four(at, first, last, rows.a);
    store_four(at, first + 4u, last, rows.b);
    store_four(at, first + 8u, last, rows.c);
    store_four(at, first + 12u, last, rows.d);
}

fn store_four(at: u32, row: u32, last: u32, rows: mat4x4f) {
    y[at + min(row, last) * ROW] = rows[0];
    y[at + min(row + 1u, last) * ROW] = rows[1];
    y[at + min(row + 2u, last) * ROW] = rows[2];
    y[at + min(row + 3u, last) * ROW] = rows[3];
}

// softmax(q · kᵀ / √D + summands) · v with an online softmax, for software adapters: no workgroup memory, no
// barrier, sums in named variables (SwiftShader keeps arrays in memory).
//
// An invocation owns four queries of one head and takes sixteen keys at a time: their 64 scores stay
// in variables, the output gathers in y itself, which therefore is f32.
// Holes: the type X of what is read, values(at, key, last), summand(row, head, key).
const D = 64u;     // channels of a head, a multiple of 4
const HEADS = 3u;

const D4 = D / 4u;
const ROW = HEADS * D4;
const SCALE = 1.0 / sqrt(f32(D));
const_assert D % 4u == 0u;

@group(0) @binding(1) var<storage, read> q: array<X>;           // [groups · tokens, HEADS · D]
@group(0) @binding(2) var<storage, read> k: array<X>;           // [groups · keys, HEADS · D]
@group(0) @binding(3) var<storage, read> v: array<X>;           // [groups · keys, HEADS · D]
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>; // [groups · tokens, HEADS · D]

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let query = id.x * 4u;
    if query >= size.tokens {
        return;
    }
    // Queries past the last one repeat it: they write what it writes.
    let rows = id.z * size.tokens + min(vec4u(query) + vec4u(0u, 1u, 2u, 3u), vec4u(size.tokens - 1u));
    let q0 = rows.x * ROW + id.y * D4;
    let q1 = rows.y * ROW + id.y * D4;
    let q2 = rows.z * ROW + id.y * D4;
    let q3 = rows.w * ROW + id.y * D4;
    let start = id.z * size.width * ROW + id.y * D4; // the head's first quad in the keys of its group
    let last = size.width - 1u;
    // The index begins again with every picture that shares it.
    let index = rows - (id.z - id.z % size.height) * size.tokens;
    var best = vec4f(-3e38); // of each query's scores
    var total = vec4f();     // of each query's weights
    for (var key = 0u; key < size.width; key += 16u) {
        let m0 = beyond(key, last); // keys past the last one weigh nothing
        let m1 = beyond(key + 4u, last);
        let m2 = beyond(key + 8u, last);
        let m3 = beyond(key + 12u, last);
        var a0 = m0 + summands(index.x, id.y, key, last); // a: scores of query 0 with four keys each, b: of query 1, …
        var a1 = m1 + summands(index.x, id.y, key + 4u, last);
        var a2 = m2 + summands(index.x, id.y, key + 8u, last);
        var a3 = m3 + summands(index.x, id.y, key + 12u, last);
        var b0 = m0 + summands(index.y, id.y, key, last);
        var b1 = m1 + summands(index.y, id.y, key + 4u, last);
        var b2 = m2 + summands(index.y, id.y, key + 8u, last);
        var b3 = m3 + summands(index.y, id.y, key + 12u, last);
        var c0 = m0 + summands(index.z, id.y, key, last);
        var c1 = m1 + summands(index.z, id.y, key + 4u, last);
        var c2 = m2 + summands(index.z, id.y, key + 8u, last);
        var c3 = m3 + summands(index.z, id.y, key + 12u, last);
        var d0 = m0 + summands(index.w, id.y, key, last);
        var d1 = m1 + summands(index.w, id.y, key + 4u, last);
        var d2 = m2 + summands(index.w, id.y, key + 8u, last);
        var d3 = m3 + summands(index.w, id.y, key + 12u, last);
        for (var i = 0u; i < D4; i++) {
            let x0 = from_x(q[q0 + i]) * SCALE;
            let x1 = from_x(q[q1 + i]) * SCALE;
            let x2 = from_x(q[q2 + i]) * SCALE;
            let x3 = from_x(q[q3 + i]) * SCALE;
            let k0 = keys(start + i, key, last);
            let k1 = keys(start + i, key + 4u, last);
            let k2 = keys(start + i, key + 8u, last);
            let k3 = keys(start + i, key + 12u, last);
            a0 += x0 * k0;
            a1 += x0 * k1;
            a2 += x0 * k2;
            a3 += x0 * k3;
            b0 += x1 * k0;
            b1 += x1 * k1;
            b2 += x1 * k2;
            b3 += x1 * k3;
            c0 += x2 * k0;
            c1 += x2 * k1;
            c2 += x2 * k2;
            c3 += x2 * k3;
            d0 += x3 * k0;
            d1 += x3 * k1;
            d2 += x3 * k2;
            d3 += x3 * k3;
        }
        let highest = max(best, vec4f(
            row_max(max(max(a0, a1), max(a2, a3))), row_max(max(max(b0, b1), max(b2, b3))),
            row_max(max(max(c0, c1), max(c2, c3))), row_max(max(max(d0, d1), max(d2, d3)))));
        let rescale = exp(best - highest);
        best = highest;
        let a = mat4x4f(exp(a0 - best.x), exp(a1 - best.x), exp(a2 - best.x), exp(a3 - best.x));
        let b = mat4x4f(exp(b0 - best.y), exp(b1 - best.y), exp(b2 - best.y), exp(b3 - best.y));
        let c = mat4x4f(exp(c0 - best.z), exp(c1 - best.z), exp(c2 - best.z), exp(c3 - best.z));
        let d = mat4x4f(exp(d0 - best.w), exp(d1 - best.w), exp(d2 - best.w), exp(d3 - best.w));
        total = total * rescale + vec4f(row_sum(a), row_sum(b), row_sum(c), row_sum(d));
        for (var i = 0u; i < D4; i++) {
            let v0 = values(start + i, key, last);
            let v1 = values(start + i, key + 4u, last);
            let v2 = values(start + i, key + 8u, last);
            let v3 = values(start + i, key + 12u, last);
            var y0 = v0 * a[0] + v1 * a[1] + v2 * a[2] + v3 * a[3];
            var y1 = v0 * b[0] + v1 * b[1] + v2 * b[2] + v3 * b[3];
            var y2 = v0 * c[0] + v1 * c[1] + v2 * c[2] + v3 * c[3];
            var y3 = v0 * d[0] + v1 * d[1] + v2 * d[2] + v3 * d[3];
            if key > 0u {
                y0 += y[q0 + i] * rescale.x;
                y1 += y[q1 + i] * rescale.y;
                y2 += y[q2 + i] * rescale.z;
                y3 += y[q3 + i] * rescale.w;
            }
            y[q3 + i] = y3;
            y[q2 + i] = y2;
            y[q1 + i] = y1;
            y[q0 + i] = y0;
        }
    }
    for (var i = 0u; i < D4; i++) {
        let y0 = y[q0 + i] / total.x;
        let y1 = y[q1 + i] / total.y;
        let y2 = y[q2 + i] / total.z;
        let y3 = y[q3 + i] / total.w;
        y[q0 + i] = y0;
        y[q1 + i] = y1;
        y[q2 + i] = y2;
        y[q3 + i] = y3;
    }
}

fn keys(at: u32, key: u32, last: u32) -> mat4x4f {
    return mat4x4f(from_x(k[at + min(key, last) * ROW]),
        from_x(k[at + min(key + 1u, last) * ROW]), from_x(k[at + min(key + 2u, last) * ROW]),
        from_x(k[at + min(key + 3u, last) * ROW]));
}

// What is added to the scores of a query with four keys; keys past the last one repeat it.
fn summands(row: u32, head: u32, key: u32, last: u32) -> vec4f {
    return vec4f(summand(row, head, min(key, last)), summand(row, head, min(key + 1u, last)),
        summand(row, head, min(key + 2u, last)), summand(row, head, min(key + 3u, last)));
}

fn beyond(key: u32, last: u32) -> vec4f {
    return select(vec4f(), vec4f(-3e38), vec4u(0u, 1u, 2u, 3u) + key > vec4u(last));
}

fn row_max(x: vec4f) -> f32 {
    return max(max(x.x, x.y), max(x.z, x.w));
}

fn row_sum(m: mat4x4f) -> f32 {
    return dot(m[0] + m[1] + m[2] + m[3], vec4f(1.0));
}

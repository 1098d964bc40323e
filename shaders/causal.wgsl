// softmax(turned(q) · kᵀ / √D) · v of each query over the rows of a state up to its own, place + r of query r, with an
// online softmax. Query head h reads the key head h / (HEADS / KEY_HEADS).
//
// A workgroup makes one head of one query. Of 64 keys at a time each invocation scores one; then each sums four
// channels over all of them.
// Holes: turned(first, row, quad) in group 1, and the type X of what the state holds.
const D = 64u;        // channels of a head, a multiple of 8, at most 256
const HEADS = 4u;     // of queries
const KEY_HEADS = 2u; // of keys and values

const D4 = D / 4u;
const SIDE = KEY_HEADS * D4; // quads of all keys of a token, and of all values behind them
const WIDTH = HEADS * D4 + 2u * SIDE;
const SCALE = 1.0 / sqrt(f32(D));
const_assert D % 8u == 0u && D <= 256u && HEADS % KEY_HEADS == 0u;

@group(0) @binding(1) var<storage, read> state: array<X>;       // [capacity, 2 · KEY_HEADS · D]
@group(0) @binding(2) var<storage, read> place: array<f32>;     // rows that the state held before
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>; // [rows, HEADS · D]

var<workgroup> query: array<vec4f, D4>;
var<workgroup> scores: array<f32, 64>; // of 64 keys, then their weights

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    if group.x >= size.rows {
        return;
    }
    let first = group.y / (HEADS / KEY_HEADS) * D4; // the head's first quad in a key
    let seen = u32(place[0]) + group.x + 1u;
    if lane < D4 {
        query[lane] = turned(group.x * WIDTH + group.y * D4, group.x, lane) * SCALE;
    }
    workgroupBarrier();
    var best = -3e38; // of all scores
    var total = 0.0;  // of all weights
    var sum = vec4f();
    for (var at = 0u; at < seen; at += 64u) {
        var score = -3e38; // keys past the last one weigh nothing
        if at + lane < seen {
            let key = (at + lane) * 2u * SIDE + first;
            score = 0.0;
            for (var i = 0u; i < D4; i++) {
                score += dot(query[i], from_x(state[key + i]));
            }
        }
        scores[lane] = score;
        workgroupBarrier();
        var highest = best;
        for (var i = 0u; i < 64u; i++) {
            highest = max(highest, scores[i]);
        }
        let rescale = exp(best - highest);
        best = highest;
        workgroupBarrier(); // all have read the scores
        scores[lane] = exp(score - best);
        workgroupBarrier();
        total *= rescale;
        sum *= rescale;
        let count = min(64u, seen - at);
        for (var i = 0u; i < count; i++) {
            total += scores[i];
            if lane < D4 {
                sum += scores[i] * from_x(state[((at + i) * 2u + 1u) * SIDE + first + lane]);
            }
        }
        workgroupBarrier(); // all have read the weights
    }
    if lane < D4 {
        y[(group.x * HEADS + group.y) * D4 + lane] = sum / total;
    }
}

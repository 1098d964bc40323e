// softmax(q · kᵀ / √D) · v of each query over the rows of two states up to its own, place + r of query r, with an
// online softmax. Query head h reads the key head h / (HEADS / KEY_HEADS).
//
// A workgroup makes one head of one query. Of 64 keys at a time each invocation scores one; then each sums four
// channels over all of them.
const D = 64u;        // channels of a head, a multiple of 4, at most 256
const HEADS = 4u;     // of queries
const KEY_HEADS = 2u; // of keys and values

const D4 = D / 4u;
const PITCH = KEY_HEADS * D4; // quads from one key to the next
const SCALE = 1.0 / sqrt(f32(D));
const_assert D % 4u == 0u && D <= 256u && HEADS % KEY_HEADS == 0u;

@group(0) @binding(1) var<storage, read> q: array<vec4f>;       // [rows, HEADS · D]
@group(0) @binding(2) var<storage, read> k: array<vec4f>;       // [capacity, KEY_HEADS · D]
@group(0) @binding(3) var<storage, read> v: array<vec4f>;       // [capacity, KEY_HEADS · D]
@group(0) @binding(4) var<storage, read> place: array<f32>;     // rows that the states held before
@group(0) @binding(5) var<storage, read_write> y: array<vec4f>; // [rows, HEADS · D]

var<workgroup> query: array<vec4f, D4>;
var<workgroup> scores: array<f32, 64>; // of 64 keys, then their weights

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    if group.x >= size.rows {
        return;
    }
    let own = (group.x * HEADS + group.y) * D4; // the head's first quad in q and y
    let first = group.y / (HEADS / KEY_HEADS) * D4; // and in a key
    let seen = u32(place[0]) + group.x + 1u;
    if lane < D4 {
        query[lane] = q[own + lane] * SCALE;
    }
    workgroupBarrier();
    var best = -3e38; // of all scores
    var total = 0.0;  // of all weights
    var sum = vec4f();
    for (var at = 0u; at < seen; at += 64u) {
        var score = -3e38; // keys past the last one weigh nothing
        if at + lane < seen {
            let key = (at + lane) * PITCH + first;
            score = 0.0;
            for (var i = 0u; i < D4; i++) {
                score += dot(query[i], k[key + i]);
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
                sum += scores[i] * v[(at + i) * PITCH + first + lane];
            }
        }
        workgroupBarrier(); // all have read the weights
    }
    if lane < D4 {
        y[own + lane] = sum / total;
    }
}

// softmax(turned(q) · kᵀ / √D) of the last query over the rows of a state up to its own, place + rows - 1; 0 behind it. Query
// head h reads the key head h / (HEADS / KEY_HEADS).
//
// A workgroup makes one head: each invocation scores every 64th key, and weighs the same keys again, so that none reads
// what another wrote.
// Holes: turned(first, row, quad) in group 1, and the type X of what the state holds.
const D = 64u;        // channels of a head, a multiple of 8, at most 256
const HEADS = 4u;     // of queries
const KEY_HEADS = 2u; // of keys

const D4 = D / 4u;
const PITCH = 2u * KEY_HEADS * D4; // quads from one key to the next
const WIDTH = HEADS * D4 + PITCH;
const SCALE = 1.0 / sqrt(f32(D));
const_assert D % 8u == 0u && D <= 256u && HEADS % KEY_HEADS == 0u;

@group(0) @binding(1) var<storage, read> state: array<X>;     // [capacity, 2 · KEY_HEADS · D]
@group(0) @binding(2) var<storage, read> place: array<f32>;   // rows that the state held before
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [HEADS, capacity], rows of size.width values

var<workgroup> query: array<vec4f, D4>;
var<workgroup> parts: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let head = group.x;
    let first = head / (HEADS / KEY_HEADS) * D4; // the head's first quad in a key
    let own = head * size.width;                 // its first weight
    let seen = u32(place[0]) + size.rows;
    if lane < D4 {
        let row = size.rows - 1u;
        query[lane] = turned(row * WIDTH + head * D4, row, lane) * SCALE;
    }
    workgroupBarrier();
    var best = -3e38;
    for (var key = lane; key < seen; key += 64u) {
        var score = 0.0;
        for (var i = 0u; i < D4; i++) {
            score += dot(query[i], from_x(state[key * PITCH + first + i]));
        }
        y[own + key] = score;
        best = max(best, score);
    }
    parts[lane] = best;
    workgroupBarrier();
    for (var i = 0u; i < 64u; i++) {
        best = max(best, parts[i]);
    }
    workgroupBarrier(); // all have read the scores
    var sum = 0.0;
    for (var key = lane; key < seen; key += 64u) {
        let weight = exp(y[own + key] - best);
        y[own + key] = weight;
        sum += weight;
    }
    parts[lane] = sum;
    workgroupBarrier();
    var total = 0.0;
    for (var i = 0u; i < 64u; i++) {
        total += parts[i];
    }
    for (var key = lane; key < size.width; key += 64u) {
        y[own + key] = select(0.0, y[own + key] / total, key < seen);
    }
}

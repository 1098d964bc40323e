// softmax(q · kᵀ / √D + summands) · v with an online softmax: keys and values pass through workgroup memory in
// tiles, and only a tile of scores ever exists (Dao et al., FlashAttention; Milakov and Gimelshein,
// online normaliser).
//
// A workgroup of 128 owns TILE_Q queries of one head of one group; LANES invocations share a
// query, each owning every LANES-th quad of its output.
// Holes: the types X and Y of what is read and written, summand(row, head, key).
const D = 64u;       // channels of a head, a multiple of 8
const HEADS = 3u;
const TILE_Q = 32u;  // queries; TILE_Q · D <= 2048
const TILE_K = 16u;  // keys; TILE_K · D <= 1024

const D4 = D / 4u;
const LANES = 128u / TILE_Q;
const QUADS = (D4 + LANES - 1u) / LANES;
const SCALE = 1.0 / sqrt(f32(D));
const_assert 128u % TILE_Q == 0u && D % 4u == 0u;

@group(0) @binding(1) var<storage, read> q: array<X>;       // [groups · tokens, HEADS · D]
@group(0) @binding(2) var<storage, read> k: array<X>;       // [groups · keys, HEADS · D]
@group(0) @binding(3) var<storage, read> v: array<X>;       // [groups · keys, HEADS · D]
@group(0) @binding(4) var<storage, read_write> y: array<Y>; // [groups · tokens, HEADS · D]

var<workgroup> tile_q: array<vec4f, TILE_Q * D4>;
var<workgroup> tile_kv: array<vec4f, TILE_K * D4>; // keys, then values
var<workgroup> scores: array<f32, TILE_Q * TILE_K>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first_query = group.x * TILE_Q;
    let queries = group.z * size.tokens; // the group's first
    let keys = group.z * size.width;
    // The index begins again with every picture that shares it.
    let index = group.z % size.height * size.tokens;
    let head = group.y * D4;
    for (var i = lane; i < TILE_Q * D4; i += 128u) {
        let token = min(first_query + i / D4, size.tokens - 1u);
        tile_q[i] = from_x(q[(queries + token) * (HEADS * D4) + head + i % D4]) * SCALE;
    }
    let query = lane / LANES;
    let slice = lane % LANES;
    var best = -3e38;
    var total = 0.0;
    var sums: array<vec4f, QUADS>;
    for (var first_key = 0u; first_key < size.width; first_key += TILE_K) {
        workgroupBarrier(); // the values of the tile before have been used
        for (var i = lane; i < TILE_K * D4; i += 128u) {
            let token = min(first_key + i / D4, size.width - 1u);
            tile_kv[i] = from_x(k[(keys + token) * (HEADS * D4) + head + i % D4]);
        }
        workgroupBarrier();
        for (var i = lane; i < TILE_Q * TILE_K; i += 128u) {
            var score = 0.0;
            for (var c = 0u; c < D4; c++) {
                score += dot(tile_q[i / TILE_K * D4 + c], tile_kv[i % TILE_K * D4 + c]);
            }
            let row = index + min(first_query + i / TILE_K, size.tokens - 1u);
            score += summand(row, group.y, min(first_key + i % TILE_K, size.width - 1u));
            scores[i] = select(-3e38, score, first_key + i % TILE_K < size.width);
        }
        workgroupBarrier();
        for (var i = lane; i < TILE_K * D4; i += 128u) {
            let token = min(first_key + i / D4, size.width - 1u);
            tile_kv[i] = from_x(v[(keys + token) * (HEADS * D4) + head + i % D4]);
        }
        workgroupBarrier();
        var highest = best;
        for (var i = 0u; i < TILE_K; i++) {
            highest = max(highest, scores[query * TILE_K + i]);
        }
        let rescale = exp(best - highest);
        best = highest;
        total *= rescale;
        for (var s = 0u; s < QUADS; s++) {
            sums[s] *= rescale;
        }
        for (var i = 0u; i < TILE_K; i++) {
            let weight = exp(scores[query * TILE_K + i] - best);
            total += weight;
            for (var s = 0u; s < QUADS; s++) {
                let c = s * LANES + slice;
                if c < D4 {
                    sums[s] += weight * tile_kv[i * D4 + c];
                }
            }
        }
    }
    let token = first_query + query;
    if token >= size.tokens {
        return;
    }
    for (var s = 0u; s < QUADS; s++) {
        let c = s * LANES + slice;
        if c < D4 {
            y[(queries + token) * (HEADS * D4) + head + c] = to_y(sums[s] / total);
        }
    }
}

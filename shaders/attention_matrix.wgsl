// softmax(q · kᵀ / √D) · v by cooperative matrices: q, k, v and weights in f16, scores and sums in f32.
//
// A workgroup of four subgroups owns 4 · TILE queries of one head of one picture, a subgroup TILE of
// them, and takes TILE_K keys at a time. q, k and v go from their slots into matrices as they are;
// scores and weights pass through workgroup memory, where TEAM invocations share a query.
//
// Rows of a matrix cannot be scaled, and two passes over the keys, one of them for the maxima alone,
// would compute q · kᵀ twice. So weights are relative to a maximum that later scores may exceed by
// SLACK, far from overflow in f16; only beyond it do the sums go through workgroup memory and are
// rescaled, which is rare after the first keys (as in FlashAttention-4).
// A tile that would end beyond the picture begins earlier: no load leaves the picture, and what a
// tile repeats weighs nothing and is not stored.
// Holes: TILE and the matrices' types; the type Y of what is written.
enable f16;
enable wgpu_cooperative_matrix;

const D = 64u;      // channels of a head, a multiple of TILE
const HEADS = 3u;
const TILE_K = 32u; // keys, a multiple of TILE
const LANES = 32u;  // of a subgroup, a multiple of TILE

const ROW = HEADS * D / 4u;    // quads of a token
const T4 = TILE / 4u;
const WIDE = D / TILE;         // matrices in a head's width
const TEAM = LANES / TILE;
const S4 = TILE_K / 4u + 1u;   // quads from row to row; those past TILE_K spread the rows over the banks
const W4 = TILE_K / 4u + 2u;
const SCALE = 1.0 / sqrt(f32(D));
const SLACK = 8.0;
const_assert D % TILE == 0u && TILE_K % TILE == 0u && LANES % TILE == 0u;

@group(0) @binding(1) var<storage, read> q: array<vec4<f16>>; // [batch · tokens, HEADS · D], tokens >= TILE
@group(0) @binding(2) var<storage, read> k: array<vec4<f16>>; // [batch · tokens, HEADS · D]
@group(0) @binding(3) var<storage, read> v: array<vec4<f16>>; // [batch · tokens, HEADS · D]
@group(0) @binding(4) var<storage, read_write> y: array<Y>;   // [batch · tokens, HEADS · D]

var<workgroup> scores: array<vec4f, 4u * TILE * S4>; // and sums on their way
var<workgroup> weights: array<vec4<f16>, 4u * TILE * W4>;
var<workgroup> grown: array<u32, 4>; // whether a subgroup has to rescale

@compute @workgroup_size(4u * LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_id) part: u32,
        @builtin(subgroup_invocation_id) lane: u32) {
    let last = size.tokens - TILE; // where the last tile begins
    let wanted = (group.x * 4u + part) * TILE;
    let query = min(wanted, last);
    let start = group.z * size.tokens * ROW + group.y * (D / 4u); // the head's first quad in its picture
    let own = part * TILE; // the subgroup's first row in workgroup memory
    let row = own + lane / TEAM;
    let slice = lane % TEAM;
    var queries: array<MatrixX, WIDE>;
    var sums: array<MatrixY, WIDE>;
    for (var c = 0u; c < WIDE; c++) {
        queries[c] = coopLoadT<MatrixX>(&q[start + query * ROW + c * T4], ROW);
    }
    var best = -3e38;
    var total = 0.0; // of the weights of the invocation's keys
    for (var first = 0u; first < size.tokens; first += TILE_K) {
        for (var j = 0u; j < TILE_K; j += TILE) {
            let key = start + min(first + j, last) * ROW;
            var s = MatrixY();
            for (var c = 0u; c < WIDE; c++) {
                s = coopMultiplyAdd(queries[c], coopLoad<MatrixW>(&k[key + c * T4], ROW), s);
            }
            coopStoreT(s, &scores[own * S4 + j / 4u], S4);
        }
        workgroupBarrier();
        var highest = -3e38;
        for (var i = slice; i < TILE_K / 4u; i += TEAM) {
            let s = score(row, first, i, last);
            highest = max(highest, max(max(s.x, s.y), max(s.z, s.w)));
        }
        for (var step = 1u; step < TEAM; step *= 2u) {
            highest = max(highest, subgroupShuffleXor(highest, step));
        }
        var rescale = 1.0;
        if highest > best + SLACK {
            rescale = exp(best - highest);
            best = highest;
        }
        total *= rescale;
        for (var i = slice; i < TILE_K / 4u; i += TEAM) {
            let weight = vec4<f16>(exp(score(row, first, i, last) - best));
            weights[row * W4 + i] = weight;
            total += dot(vec4f(weight), vec4f(1.0));
        }
        let grows = subgroupAny(first > 0u && rescale < 1.0);
        if lane == 0u {
            grown[part] = u32(grows);
        }
        let any = workgroupUniformLoad(&grown);
        if any[0] + any[1] + any[2] + any[3] > 0u {
            for (var c = 0u; c < WIDE; c++) {
                coopStoreT(sums[c], &scores[own * S4], S4);
                workgroupBarrier();
                for (var i = slice; i < T4; i += TEAM) {
                    scores[row * S4 + i] *= rescale;
                }
                workgroupBarrier();
                sums[c] = coopLoadT<MatrixY>(&scores[own * S4], S4);
                workgroupBarrier();
            }
        }
        for (var j = 0u; j < TILE_K; j += TILE) {
            let key = start + min(first + j, last) * ROW;
            let weight = coopLoadT<MatrixX>(&weights[own * W4 + j / 4u], W4);
            for (var c = 0u; c < WIDE; c++) {
                let value = coopLoadT<MatrixW>(&v[key + c * T4], ROW);
                sums[c] = coopMultiplyAdd(weight, value, sums[c]);
            }
        }
    }
    for (var step = 1u; step < TEAM; step *= 2u) {
        total += subgroupShuffleXor(total, step);
    }
    let token = query + lane / TEAM;
    for (var c = 0u; c < WIDE; c++) {
        coopStoreT(sums[c], &scores[own * S4], S4);
        workgroupBarrier();
        for (var i = slice; i < T4 && token >= wanted; i += TEAM) {
            y[start + token * ROW + c * T4 + i] = to_y(scores[row * S4 + i] / total);
        }
        workgroupBarrier(); // all have been read
    }
}

// Four scores of a row; of keys that a tile before had they are such that they weigh nothing.
fn score(row: u32, first: u32, quad: u32, last: u32) -> vec4f {
    let wanted = first + 4u * quad / TILE * TILE;
    let key = min(wanted, last) + 4u * quad % TILE + vec4u(0u, 1u, 2u, 3u);
    return select(vec4f(-3e38), scores[row * S4 + quad] * SCALE, key >= vec4u(wanted));
}

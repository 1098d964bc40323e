// softmax(q · kᵀ / √D) · v by cooperative matrices: q, k, v and weights in f16, scores and sums in f32.
//
// A workgroup of four subgroups owns 4 · TILE queries of one head of one picture, a subgroup TILE, and
// eight matrices of the head's width; TILE_K keys at a time. q, k and v go from their slots into matrices;
// scores and weights pass through workgroup memory, where TEAM invocations share a query. No loop counts
// sums, so that they stay in registers.
//
// Rows of a matrix cannot be scaled, and two passes, one for maxima alone, would compute q · kᵀ twice. So
// weights are relative to a maximum that later scores may exceed by SLACK, far from overflow in f16; only
// beyond it the sums go through workgroup memory and are rescaled, rarely (as in FlashAttention-4).
// A tile that would end beyond the picture begins earlier; what it repeats weighs nothing, is not stored.
// Holes: TILE and the matrices' types; the type Y of what is written.
enable f16;
enable wgpu_cooperative_matrix;

const D = 64u;      // channels of a head, a multiple of TILE
const HEADS = 3u;
const TILE_K = 32u; // keys, a multiple of 2 · TILE
const LANES = 32u;  // of a subgroup, a multiple of TILE
const ROW = HEADS * D / 4u;    // quads of a token
const T4 = TILE / 4u;
const PARTS = (D + 8u * TILE - 1u) / (8u * TILE); // workgroups that share a head's width
const TEAM = LANES / TILE;
const S4 = TILE_K / 4u + 1u;   // quads from row to row; those past TILE_K spread the rows over the banks
const W4 = TILE_K / 4u + 2u;
const SCALE = 1.0 / sqrt(f32(D));
const SLACK = 8.0;
const NOWHERE = 0xffffffffu;
const_assert D % TILE == 0u && TILE_K % (2u * TILE) == 0u && LANES % TILE == 0u;

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
    let start = group.z * size.tokens * ROW + group.y / PARTS * (D / 4u); // the head's first quad
    let left = group.y % PARTS * 8u; // the first matrix of those it owns
    let own = part * TILE; // the subgroup's first row in workgroup memory
    let row = own + lane / TEAM; // the invocation's
    let slice = lane % TEAM;     // its first quad of the row
    let wide = min(D / TILE - left, 8u);
    var sums: array<MatrixY, 8>;
    var best = -3e38;
    var total = 0.0; // of the weights of the invocation's keys
    for (var first = 0u; first < size.tokens; first += TILE_K) {
        for (var j = 0u; j < TILE_K; j += 2u * TILE) {
            let key0 = start + min(first + j, last) * ROW;
            let key1 = start + min(first + j + TILE, last) * ROW;
            var s0 = MatrixY();
            var s1 = MatrixY();
            for (var c = 0u; c < D / 4u; c += T4) {
                let x = coopLoadT<MatrixX>(&q[start + query * ROW + c], ROW);
                s0 = coopMultiplyAdd(x, coopLoad<MatrixW>(&k[key0 + c], ROW), s0);
                s1 = coopMultiplyAdd(x, coopLoad<MatrixW>(&k[key1 + c], ROW), s1);
            }
            coopStoreT(s0, &scores[own * S4 + j / 4u], S4);
            coopStoreT(s1, &scores[own * S4 + j / 4u + T4], S4);
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
        let grows = highest > best + SLACK;
        let rescale = select(1.0, exp(best - highest), grows);
        best = select(best, highest, grows);
        total *= rescale;
        for (var i = slice; i < TILE_K / 4u; i += TEAM) {
            let weight = vec4<f16>(exp(score(row, first, i, last) - best));
            weights[row * W4 + i] = weight;
            total += dot(vec4f(weight), vec4f(1.0));
        }
        let some = subgroupAny(grows && first > 0u);
        if lane == 0u { grown[part] = u32(some); }
        let parts = workgroupUniformLoad(&grown);
        if parts[0] + parts[1] + parts[2] + parts[3] > 0u {
            scale(&sums, wide, row, slice, rescale, NOWHERE);
        }
        for (var j = 0u; j < TILE_K; j += TILE) {
            let key = start + min(first + j, last) * ROW + left * T4;
            let weight = coopLoadT<MatrixX>(&weights[own * W4 + j / 4u], W4);
            sums[0] = product(weight, key, sums[0]);
            if wide > 1u { sums[1] = product(weight, key + T4, sums[1]); }
            if wide > 2u { sums[2] = product(weight, key + 2u * T4, sums[2]); }
            if wide > 3u { sums[3] = product(weight, key + 3u * T4, sums[3]); }
            if wide > 4u { sums[4] = product(weight, key + 4u * T4, sums[4]); }
            if wide > 5u { sums[5] = product(weight, key + 5u * T4, sums[5]); }
            if wide > 6u { sums[6] = product(weight, key + 6u * T4, sums[6]); }
            if wide > 7u { sums[7] = product(weight, key + 7u * T4, sums[7]); }
        }
    }
    for (var step = 1u; step < TEAM; step *= 2u) {
        total += subgroupShuffleXor(total, step);
    }
    let token = query + row - own;
    let out = select(NOWHERE, start + token * ROW + left * T4, token >= wanted);
    scale(&sums, wide, row, slice, 1.0 / total, out);
}

// Four scores of a row; those of keys that a tile before had are such that they weigh nothing.
fn score(row: u32, first: u32, quad: u32, last: u32) -> vec4f {
    let wanted = first + 4u * quad / TILE * TILE;
    let key = min(wanted, last) + 4u * quad % TILE + vec4u(0u, 1u, 2u, 3u);
    return select(vec4f(-3e38), scores[row * S4 + quad] * SCALE, key >= vec4u(wanted));
}

fn product(weight: MatrixX, value: u32, sum: MatrixY) -> MatrixY {
    return coopMultiplyAdd(weight, coopLoadT<MatrixW>(&v[value], ROW), sum);
}

// The sums times a factor of the invocation's row, and stored from `out` on, if that is somewhere.
fn scale(sums: ptr<function, array<MatrixY, 8>>, wide: u32, row: u32, slice: u32, factor: f32, out: u32) {
    sums[0] = scaled(sums[0], row, slice, factor, out, 0u);
    if wide > 1u { sums[1] = scaled(sums[1], row, slice, factor, out, 1u); }
    if wide > 2u { sums[2] = scaled(sums[2], row, slice, factor, out, 2u); }
    if wide > 3u { sums[3] = scaled(sums[3], row, slice, factor, out, 3u); }
    if wide > 4u { sums[4] = scaled(sums[4], row, slice, factor, out, 4u); }
    if wide > 5u { sums[5] = scaled(sums[5], row, slice, factor, out, 5u); }
    if wide > 6u { sums[6] = scaled(sums[6], row, slice, factor, out, 6u); }
    if wide > 7u { sums[7] = scaled(sums[7], row, slice, factor, out, 7u); }
}

fn scaled(sum: MatrixY, row: u32, slice: u32, factor: f32, out: u32, c: u32) -> MatrixY {
    let first = row / TILE * TILE * S4;
    coopStoreT(sum, &scores[first], S4);
    workgroupBarrier();
    for (var i = slice; i < T4; i += TEAM) {
        let quad = scores[row * S4 + i] * factor;
        scores[row * S4 + i] = quad;
        if out != NOWHERE { y[out + c * T4 + i] = to_y(quad); }
    }
    workgroupBarrier();
    let result = coopLoadT<MatrixY>(&scores[first], S4);
    workgroupBarrier(); // all have read theirs
    return result;
}

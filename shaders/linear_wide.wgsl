// y = finish(x · Wᵀ), for GPUs: 8 × 8 outputs an invocation, so that it reads 16 quads of workgroup memory for 256
// multiply-adds.
//
// A workgroup of 8 × TILE_ROWS / 8 owns TILE_ROWS rows × 64 outputs (one panel); an invocation eight rows and two
// quads, as far apart as they can be, so that neighbours read neighbouring quads. Tiles take at most 16
// KiB. The next one waits in registers: of 128 invocations it is fetched before this one is multiplied, of fewer after.
// With PARTS the inputs are shared by that many workgroups, each of which stores its sums as rows of their own.
// Holes: load_x(row, quad) in group 0, load_w(panel, k, quad) in group 1, finish(plane, row, quad, sum) in group 2, and
// the types X and Y of what is read and written.
const K = 192u;         // inputs, a multiple of 4
const COLS = 192u;      // outputs of one plane, a multiple of 4
const TILE_ROWS = 64u;
const TILE_K = 32u;
const PARTS = 1u;

const PANELS = (COLS + 63u) / 64u; // of one plane
const T4 = TILE_K / 4u;
const DOWN = TILE_ROWS / 8u;
const LANES = 8u * DOWN;
const EARLY = LANES >= 128u;
const X_SHARE = TILE_ROWS * T4 / LANES;
const W_SHARE = TILE_K * 16u / LANES;
const SHARE_K = (K + PARTS * TILE_K - 1u) / (PARTS * TILE_K) * TILE_K; // inputs of a part
const_assert DOWN % 8u == 0u && TILE_ROWS * T4 % LANES == 0u && TILE_K * 16u % LANES == 0u && (T4 & (T4 - 1u)) == 0u;

var<workgroup> tile_x: array<vec4f, TILE_ROWS * T4>;  // [row][k / 4, in an order of the row's own]
var<workgroup> tile_w: array<vec4f, TILE_K * 16u>;    // [k][quad]

@compute @workgroup_size(8, DOWN)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let first_row = group.y * TILE_ROWS;
    let end = min((group.z + 1u) * SHARE_K, K);
    var next_x: array<vec4f, X_SHARE>;
    var next_w: array<vec4f, W_SHARE>;
    // Of a row, one column each of the invocation's two quads.
    var a0 = vec4f();
    var a1 = vec4f();
    var a2 = vec4f();
    var a3 = vec4f();
    var a4 = vec4f();
    var a5 = vec4f();
    var a6 = vec4f();
    var a7 = vec4f();
    var b0 = vec4f();
    var b1 = vec4f();
    var b2 = vec4f();
    var b3 = vec4f();
    var b4 = vec4f();
    var b5 = vec4f();
    var b6 = vec4f();
    var b7 = vec4f();
    fetch(&next_x, &next_w, group.x, first_row, group.z * SHARE_K, end, lane);
    for (var k = group.z * SHARE_K; k < end; k += TILE_K) {
        for (var i = 0u; i < X_SHARE; i++) {
            tile_x[place((i * LANES + lane) / T4, lane % T4)] = next_x[i];
        }
        for (var i = 0u; i < W_SHARE; i++) {
            tile_w[i * LANES + lane] = next_w[i];
        }
        workgroupBarrier();
        if EARLY {
            fetch(&next_x, &next_w, group.x, first_row, k + TILE_K, end, lane);
        }
        for (var j = 0u; j < T4; j++) {
            let a = weights_of(j, local.x);
            let b = weights_of(j, local.x + 8u);
            let x0 = tile_x[place(local.y, j)];
            a0 += a * x0;
            b0 += b * x0;
            let x1 = tile_x[place(local.y + DOWN, j)];
            a1 += a * x1;
            b1 += b * x1;
            let x2 = tile_x[place(local.y + 2u * DOWN, j)];
            a2 += a * x2;
            b2 += b * x2;
            let x3 = tile_x[place(local.y + 3u * DOWN, j)];
            a3 += a * x3;
            b3 += b * x3;
            let x4 = tile_x[place(local.y + 4u * DOWN, j)];
            a4 += a * x4;
            b4 += b * x4;
            let x5 = tile_x[place(local.y + 5u * DOWN, j)];
            a5 += a * x5;
            b5 += b * x5;
            let x6 = tile_x[place(local.y + 6u * DOWN, j)];
            a6 += a * x6;
            b6 += b * x6;
            let x7 = tile_x[place(local.y + 7u * DOWN, j)];
            a7 += a * x7;
            b7 += b * x7;
        }
        workgroupBarrier();
        if !EARLY {
            fetch(&next_x, &next_w, group.x, first_row, k + TILE_K, end, lane);
        }
    }
    let panel = size.first_panel + group.x;
    let plane = panel / PANELS;
    let quad = panel % PANELS * 16u + local.x;
    let whole = first_row + TILE_ROWS <= size.rows && panel % PANELS * 64u + 64u <= COLS;
    var sums = array(a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7);
    for (var i = 0u; i < 16u; i++) {
        let row = first_row + i % 8u * DOWN + local.y;
        let own = quad + i / 8u * 8u;
        if whole || (row < size.rows && own < COLS / 4u) {
            finish(plane, group.z * size.rows + row, own, sums[i]);
        }
    }
}

// Where a quad of a row lies: neighbouring rows' quads of the same inputs in other banks.
fn place(row: u32, j: u32) -> u32 {
    return row * T4 + (j ^ (row & (T4 - 1u)));
}

fn weights_of(j: u32, quad: u32) -> mat4x4f {
    let at = j * 64u + quad;
    return mat4x4f(tile_w[at], tile_w[at + 16u], tile_w[at + 32u], tile_w[at + 48u]);
}

// The invocation's share of the tiles that begin with input `k`; zeros past the last row, and past the part's inputs.
fn fetch(next_x: ptr<function, array<vec4f, X_SHARE>>, next_w: ptr<function, array<vec4f, W_SHARE>>, panel: u32,
        first_row: u32, k: u32, end: u32, lane: u32) {
    for (var i = 0u; i < X_SHARE; i++) {
        let row = first_row + (i * LANES + lane) / T4;
        let own = k + lane % T4 * 4u;
        next_x[i] = vec4f();
        if row < size.rows && own < end { next_x[i] = load_x(row, own / 4u); }
    }
    for (var i = 0u; i < W_SHARE; i++) {
        let own = k + (i * LANES + lane) / 16u;
        next_w[i] = vec4f();
        if own < end { next_w[i] = load_w(panel, own, lane % 16u); }
    }
}

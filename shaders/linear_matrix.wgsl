// y = finish(x · Wᵀ) by cooperative matrices: x and W in f16, sums in f32.
//
// A workgroup of four subgroups owns ROWS rows × 64 outputs (one panel), a subgroup 2 × 4 matrices of
// them. x and W pass through workgroup memory, TILE inputs at a time, and the sums on their way to
// finish. Rows past the last repeat it and are not stored.
// Holes: TILE and the matrices' types; load_half(panel, k, quad) in group 1; finish(plane, row, quad, sum) in group 2 and the type Y of what is
// written.
enable f16;
enable wgpu_cooperative_matrix;

const K = 192u;    // inputs, a multiple of TILE
const COLS = 192u; // outputs of one plane, a multiple of 4
const LANES = 32u; // of a subgroup

const PANELS = (COLS + 63u) / 64u; // of one plane
const T4 = TILE / 4u;
const ACROSS = 16u / TILE;       // subgroups side by side
const ROWS = 8u / ACROSS * TILE;
const X_STRIDE = T4 + 2u;        // quads from row to row; two more spread the rows over the banks
const W_STRIDE = 18u;
const_assert K % TILE == 0u;

@group(0) @binding(1) var<storage, read> x: array<vec4<f16>>; // [rows, K]

var<workgroup> tile_x: array<vec4<f16>, ROWS * X_STRIDE>; // [row][quad of inputs]
var<workgroup> tile_w: array<vec4<f16>, TILE * W_STRIDE>; // [input][quad of outputs]
var<workgroup> sums: array<f32, 4u * TILE * TILE>;        // a matrix of each subgroup

@compute @workgroup_size(4u * LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32,
        @builtin(subgroup_id) part: u32, @builtin(subgroup_invocation_id) lane: u32) {
    let first_row = group.y * ROWS;
    let row = part / ACROSS * 2u * TILE;
    let quad = part % ACROSS * TILE;
    var a0 = MatrixY(); // a: the upper matrices, b: the lower ones
    var a1 = MatrixY();
    var a2 = MatrixY();
    var a3 = MatrixY();
    var b0 = MatrixY();
    var b1 = MatrixY();
    var b2 = MatrixY();
    var b3 = MatrixY();
    for (var k = 0u; k < K; k += TILE) {
        for (var i = index; i < ROWS * T4; i += 4u * LANES) {
            let source = min(first_row + i / T4, size.rows - 1u);
            tile_x[i / T4 * X_STRIDE + i % T4] = x[(source * K + k) / 4u + i % T4];
        }
        for (var i = index; i < TILE * 16u; i += 4u * LANES) {
            tile_w[i / 16u * W_STRIDE + i % 16u] = load_half(group.x, k + i / 16u, i % 16u);
        }
        workgroupBarrier();
        let xa = coopLoadT<MatrixX>(&tile_x[row * X_STRIDE], X_STRIDE);
        let xb = coopLoadT<MatrixX>(&tile_x[(row + TILE) * X_STRIDE], X_STRIDE);
        let w0 = coopLoadT<MatrixW>(&tile_w[quad], W_STRIDE);
        a0 = coopMultiplyAdd(xa, w0, a0);
        b0 = coopMultiplyAdd(xb, w0, b0);
        let w1 = coopLoadT<MatrixW>(&tile_w[quad + T4], W_STRIDE);
        a1 = coopMultiplyAdd(xa, w1, a1);
        b1 = coopMultiplyAdd(xb, w1, b1);
        let w2 = coopLoadT<MatrixW>(&tile_w[quad + 2u * T4], W_STRIDE);
        a2 = coopMultiplyAdd(xa, w2, a2);
        b2 = coopMultiplyAdd(xb, w2, b2);
        let w3 = coopLoadT<MatrixW>(&tile_w[quad + 3u * T4], W_STRIDE);
        a3 = coopMultiplyAdd(xa, w3, a3);
        b3 = coopMultiplyAdd(xb, w3, b3);
        workgroupBarrier(); // all have used the tiles
    }
    let panel = size.first_panel + group.x;
    let place = Place(part, lane, panel / PANELS, first_row + row, panel % PANELS * 16u + quad);
    store(place, 0u, 0u, a0);
    store(place, 0u, 1u, a1);
    store(place, 0u, 2u, a2);
    store(place, 0u, 3u, a3);
    store(place, 1u, 0u, b0);
    store(place, 1u, 1u, b1);
    store(place, 1u, 2u, b2);
    store(place, 1u, 3u, b3);
}

// An invocation, and its subgroup's first row and quad.
struct Place {
    part: u32,
    lane: u32,
    plane: u32,
    row: u32,
    quad: u32,
}

fn store(place: Place, down: u32, right: u32, matrix: MatrixY) {
    let start = place.part * TILE * TILE;
    workgroupBarrier(); // the matrix before has been read
    coopStoreT(matrix, &sums[start], TILE);
    workgroupBarrier();
    for (var i = place.lane; i < TILE * T4; i += LANES) {
        let row = place.row + down * TILE + i / T4;
        let quad = place.quad + right * T4 + i % T4;
        if row < size.rows && quad < COLS / 4u {
            let at = start + i * 4u;
            let sum = vec4f(sums[at], sums[at + 1u], sums[at + 2u], sums[at + 3u]);
            finish(place.plane, row, quad, sum);
        }
    }
}

// y = finish(x · Wᵀ), for GPUs: tiles in workgroup memory.
//
// A workgroup of 16 × 16 owns TILE_ROWS rows × 64 outputs (one panel of weights); an invocation
// TILE_ROWS / 16 rows × one quad of outputs. 8 KiB of workgroup memory at 64 rows.
// Holes: load_x(row, quad) in group 0, load_w(panel, k, quad) in group 1, finish(plane, row, quad, sum) in
// group 2, and the types X and Y of what is read and written.
const K = 192u;         // inputs, a multiple of 4
const COLS = 192u;      // outputs of one plane, a multiple of 4
const TILE_ROWS = 64u;

const PANELS = (COLS + 63u) / 64u; // of one plane
const TILE_K = 16u;
const ROWS = TILE_ROWS / 16u;
const_assert TILE_ROWS % 16u == 0u && TILE_ROWS <= 128u;

var<workgroup> tile_x: array<vec4f, TILE_ROWS * TILE_K / 4u>; // [row][k / 4]
var<workgroup> tile_w: array<vec4f, TILE_K * 16u>;            // [k][quad]

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let first_row = group.y * TILE_ROWS;
    var sums: array<vec4f, ROWS>;
    for (var k = 0u; k < K; k += TILE_K) {
        for (var i = lane; i < TILE_ROWS * TILE_K / 4u; i += 256u) {
            let row = first_row + i / (TILE_K / 4u);
            let k4 = k / 4u + i % (TILE_K / 4u);
            tile_x[i] = vec4f();
            if row < size.rows && k4 < K / 4u {
                tile_x[i] = load_x(row, k4);
            }
        }
        tile_w[lane] = vec4f();
        if k + local.y < K {
            tile_w[lane] = load_w(group.x, k + local.y, local.x);
        }
        workgroupBarrier();
        for (var j = 0u; j < TILE_K / 4u; j++) {
            let w = mat4x4f(
                tile_w[(j * 4u) * 16u + local.x],
                tile_w[(j * 4u + 1u) * 16u + local.x],
                tile_w[(j * 4u + 2u) * 16u + local.x],
                tile_w[(j * 4u + 3u) * 16u + local.x],
            );
            for (var r = 0u; r < ROWS; r++) {
                sums[r] += w * tile_x[(local.y * ROWS + r) * (TILE_K / 4u) + j];
            }
        }
        workgroupBarrier();
    }
    let panel = size.first_panel + group.x;
    let quad = panel % PANELS * 16u + local.x;
    for (var r = 0u; r < ROWS; r++) {
        let row = first_row + local.y * ROWS + r;
        if row < size.rows && quad < COLS / 4u {
            finish(panel / PANELS, row, quad, sums[r]);
        }
    }
}

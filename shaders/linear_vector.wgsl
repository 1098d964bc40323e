// y = finish(x · Wᵀ) for few rows, where most of the time goes into reading W: every weight is read once
// for ROWS rows.
//
// A workgroup of 16 × 16 owns ROWS rows × 64 outputs (one panel). An invocation sums every sixteenth
// quad of inputs for one quad of outputs; sixteen such sums are added through 4 KiB of workgroup memory.
// Holes: load_x(row, quad) in group 0, load_w4(panel, k, quad) and load_factor(panel, quad) in group 1,
// finish(plane, row, quad, sum) in group 2, and the types X and Y of what is read and written.
const K = 192u;    // inputs, a multiple of 4
const COLS = 192u; // outputs of one plane, a multiple of 4
const ROWS = 4u;

const PANELS = (COLS + 63u) / 64u; // of one plane
const_assert ROWS >= 1u && ROWS <= 4u;

var<workgroup> parts: array<vec4f, 256>; // [share of the inputs][quad of outputs]

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let first = group.y * ROWS;
    let last = size.rows - 1u;
    var sums: array<vec4f, ROWS>;
    for (var k = local.y; k < K / 4u; k += 16u) {
        let w = load_w4(group.x, k * 4u, local.x);
        for (var r = 0u; r < ROWS; r++) {
            sums[r] += w * load_x(min(first + r, last), k); // rows past the last repeat it
        }
    }
    let panel = size.first_panel + group.x;
    let quad = panel % PANELS * 16u + local.x;
    for (var r = 0u; r < ROWS; r++) {
        workgroupBarrier(); // the row before has been added
        parts[lane] = sums[r];
        workgroupBarrier();
        if local.y == 0u && first + r <= last && quad < COLS / 4u {
            var sum = vec4f();
            for (var i = 0u; i < 16u; i++) {
                sum += parts[i * 16u + local.x];
            }
            finish(panel / PANELS, first + r, quad, sum * load_factor(group.x, local.x));
        }
    }
}

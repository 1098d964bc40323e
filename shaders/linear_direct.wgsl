// y = finish(x · Wᵀ), for software adapters: no workgroup memory, no barrier, sums in named
// variables (SwiftShader keeps arrays in memory). 8 to 20 times as fast there as linear_tiled.
//
// A workgroup of 16 × 4 owns 32 rows × 64 outputs (one panel); an invocation 8 rows × one quad.
// Holes: load_x(row, quad) in group 0, load_w(panel, k, quad) in group 1, finish(plane, row, quad, sum) in group 2.
const K = 192u;    // inputs, a multiple of 4
const COLS = 192u; // outputs of one plane, a multiple of 4

const PANELS = (COLS + 63u) / 64u; // of one plane

@compute @workgroup_size(16, 4)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
    let row = (group.y * 4u + local.y) * 8u;
    let last = size.rows - 1u;
    let r0 = min(row, last);
    let r1 = min(row + 1u, last);
    let r2 = min(row + 2u, last);
    let r3 = min(row + 3u, last);
    let r4 = min(row + 4u, last);
    let r5 = min(row + 5u, last);
    let r6 = min(row + 6u, last);
    let r7 = min(row + 7u, last);
    var s0 = vec4f();
    var s1 = vec4f();
    var s2 = vec4f();
    var s3 = vec4f();
    var s4 = vec4f();
    var s5 = vec4f();
    var s6 = vec4f();
    var s7 = vec4f();
    for (var k = 0u; k < K / 4u; k++) {
        let w = mat4x4f(
            load_w(group.x, k * 4u, local.x),
            load_w(group.x, k * 4u + 1u, local.x),
            load_w(group.x, k * 4u + 2u, local.x),
            load_w(group.x, k * 4u + 3u, local.x),
        );
        s0 += w * load_x(r0, k);
        s1 += w * load_x(r1, k);
        s2 += w * load_x(r2, k);
        s3 += w * load_x(r3, k);
        s4 += w * load_x(r4, k);
        s5 += w * load_x(r5, k);
        s6 += w * load_x(r6, k);
        s7 += w * load_x(r7, k);
    }
    let panel = size.first_panel + group.x;
    let plane = panel / PANELS;
    let quad = panel % PANELS * 16u + local.x;
    if quad >= COLS / 4u {
        return;
    }
    if row < size.rows { finish(plane, row, quad, s0); }
    if row + 1u < size.rows { finish(plane, row + 1u, quad, s1); }
    if row + 2u < size.rows { finish(plane, row + 2u, quad, s2); }
    if row + 3u < size.rows { finish(plane, row + 3u, quad, s3); }
    if row + 4u < size.rows { finish(plane, row + 4u, quad, s4); }
    if row + 5u < size.rows { finish(plane, row + 5u, quad, s5); }
    if row + 6u < size.rows { finish(plane, row + 6u, quad, s6); }
    if row + 7u < size.rows { finish(plane, row + 7u, quad, s7); }
}

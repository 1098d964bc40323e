// y = finish(x · Wᵀ), for software adapters: no workgroup memory, no barrier, sums in named
// variables (SwiftShader keeps arrays in memory).
//
// A workgroup of 8 × 2 owns 16 rows × 64 outputs (one panel); an invocation 8 rows × two quads.
// Holes: load_x(row, quad) in group 0, load_w4(panel, k, quad) and load_factor(panel, quad) in group 1,
// finish(plane, row, quad, sum) in group 2, and the types X and Y of what is read and written.
const K = 192u;    // inputs, a multiple of 4
const COLS = 192u; // outputs of one plane, a multiple of 4

const PANELS = (COLS + 63u) / 64u; // of one plane

@compute @workgroup_size(8, 2)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
    let row = (group.y * 2u + local.y) * 8u;
    let first = local.x * 2u;
    let last = size.rows - 1u;
    if row > last {
        return;
    }
    let r1 = min(row + 1u, last);
    let r2 = min(row + 2u, last);
    let r3 = min(row + 3u, last);
    let r4 = min(row + 4u, last);
    let r5 = min(row + 5u, last);
    let r6 = min(row + 6u, last);
    let r7 = min(row + 7u, last);
    var a0 = vec4f();
    var b0 = vec4f();
    var a1 = vec4f();
    var b1 = vec4f();
    var a2 = vec4f();
    var b2 = vec4f();
    var a3 = vec4f();
    var b3 = vec4f();
    var a4 = vec4f();
    var b4 = vec4f();
    var a5 = vec4f();
    var b5 = vec4f();
    var a6 = vec4f();
    var b6 = vec4f();
    var a7 = vec4f();
    var b7 = vec4f();
    for (var k = 0u; k < K / 4u; k++) {
        let a = load_w4(group.x, k * 4u, first);
        let b = load_w4(group.x, k * 4u, first + 1u);
        let x0 = load_x(row, k);
        a0 += a * x0;
        b0 += b * x0;
        let x1 = load_x(r1, k);
        a1 += a * x1;
        b1 += b * x1;
        let x2 = load_x(r2, k);
        a2 += a * x2;
        b2 += b * x2;
        let x3 = load_x(r3, k);
        a3 += a * x3;
        b3 += b * x3;
        let x4 = load_x(r4, k);
        a4 += a * x4;
        b4 += b * x4;
        let x5 = load_x(r5, k);
        a5 += a * x5;
        b5 += b * x5;
        let x6 = load_x(r6, k);
        a6 += a * x6;
        b6 += b * x6;
        let x7 = load_x(r7, k);
        a7 += a * x7;
        b7 += b * x7;
    }
    let p = load_factor(group.x, first);
    let q = load_factor(group.x, first + 1u);
    let panel = size.first_panel + group.x;
    let plane = panel / PANELS;
    let quad = panel % PANELS * 16u + first;
    store(plane, row, quad, p * a0, q * b0);
    store(plane, row + 1u, quad, p * a1, q * b1);
    store(plane, row + 2u, quad, p * a2, q * b2);
    store(plane, row + 3u, quad, p * a3, q * b3);
    store(plane, row + 4u, quad, p * a4, q * b4);
    store(plane, row + 5u, quad, p * a5, q * b5);
    store(plane, row + 6u, quad, p * a6, q * b6);
    store(plane, row + 7u, quad, p * a7, q * b7);
}

fn store(plane: u32, row: u32, quad: u32, a: vec4f, b: vec4f) {
    if row >= size.rows {
        return;
    }
    if quad < COLS / 4u { finish(plane, row, quad, a); }
    if quad + 1u < COLS / 4u { finish(plane, row, quad + 1u, b); }
}

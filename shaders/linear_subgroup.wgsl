// y = finish(x · Wᵀ), for software adapters with subgroups of 8: as linear_direct, but the lanes share
// their rows of x, since a load costs there as much as a hundred multiplications.
//
// A workgroup is a subgroup of 8 and owns 16 rows × 64 outputs (one panel); an invocation 16 rows × two
// quads, l and l + 8 in lane l.
// Holes: load_x(row, quad) in group 0, load_w4(panel, k, quad) and load_factor(panel, quad) in group 1,
// finish(plane, row, quad, sum) in group 2, and the types X and Y of what is read and written.
const K = 192u;    // inputs, a multiple of 4
const COLS = 192u; // outputs of one plane, a multiple of 4

const PANELS = (COLS + 63u) / 64u; // of one plane

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first = group.y * 16u;
    let last = size.rows - 1u;
    let own = min(first + lane, last);
    let other = min(first + lane + 8u, last);
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
    var a8 = vec4f();
    var b8 = vec4f();
    var a9 = vec4f();
    var b9 = vec4f();
    var a10 = vec4f();
    var b10 = vec4f();
    var a11 = vec4f();
    var b11 = vec4f();
    var a12 = vec4f();
    var b12 = vec4f();
    var a13 = vec4f();
    var b13 = vec4f();
    var a14 = vec4f();
    var b14 = vec4f();
    var a15 = vec4f();
    var b15 = vec4f();
    for (var k = 0u; k < K / 4u; k++) {
        let a = load_w4(group.x, k * 4u, lane);
        let b = load_w4(group.x, k * 4u, lane + 8u);
        let low = load_x(own, k);
        let high = load_x(other, k);
        let x0 = subgroupBroadcast(low, 0u);
        a0 += a * x0;
        b0 += b * x0;
        let x1 = subgroupBroadcast(low, 1u);
        a1 += a * x1;
        b1 += b * x1;
        let x2 = subgroupBroadcast(low, 2u);
        a2 += a * x2;
        b2 += b * x2;
        let x3 = subgroupBroadcast(low, 3u);
        a3 += a * x3;
        b3 += b * x3;
        let x4 = subgroupBroadcast(low, 4u);
        a4 += a * x4;
        b4 += b * x4;
        let x5 = subgroupBroadcast(low, 5u);
        a5 += a * x5;
        b5 += b * x5;
        let x6 = subgroupBroadcast(low, 6u);
        a6 += a * x6;
        b6 += b * x6;
        let x7 = subgroupBroadcast(low, 7u);
        a7 += a * x7;
        b7 += b * x7;
        let x8 = subgroupBroadcast(high, 0u);
        a8 += a * x8;
        b8 += b * x8;
        let x9 = subgroupBroadcast(high, 1u);
        a9 += a * x9;
        b9 += b * x9;
        let x10 = subgroupBroadcast(high, 2u);
        a10 += a * x10;
        b10 += b * x10;
        let x11 = subgroupBroadcast(high, 3u);
        a11 += a * x11;
        b11 += b * x11;
        let x12 = subgroupBroadcast(high, 4u);
        a12 += a * x12;
        b12 += b * x12;
        let x13 = subgroupBroadcast(high, 5u);
        a13 += a * x13;
        b13 += b * x13;
        let x14 = subgroupBroadcast(high, 6u);
        a14 += a * x14;
        b14 += b * x14;
        let x15 = subgroupBroadcast(high, 7u);
        a15 += a * x15;
        b15 += b * x15;
    }
    let p = load_factor(group.x, lane);
    let q = load_factor(group.x, lane + 8u);
    let panel = size.first_panel + group.x;
    let plane = panel / PANELS;
    let quad = panel % PANELS * 16u + lane;
    store(plane, first, quad, p * a0, q * b0);
    store(plane, first + 1u, quad, p * a1, q * b1);
    store(plane, first + 2u, quad, p * a2, q * b2);
    store(plane, first + 3u, quad, p * a3, q * b3);
    store(plane, first + 4u, quad, p * a4, q * b4);
    store(plane, first + 5u, quad, p * a5, q * b5);
    store(plane, first + 6u, quad, p * a6, q * b6);
    store(plane, first + 7u, quad, p * a7, q * b7);
    store(plane, first + 8u, quad, p * a8, q * b8);
    store(plane, first + 9u, quad, p * a9, q * b9);
    store(plane, first + 10u, quad, p * a10, q * b10);
    store(plane, first + 11u, quad, p * a11, q * b11);
    store(plane, first + 12u, quad, p * a12, q * b12);
    store(plane, first + 13u, quad, p * a13, q * b13);
    store(plane, first + 14u, quad, p * a14, q * b14);
    store(plane, first + 15u, quad, p * a15, q * b15);
}

fn store(plane: u32, row: u32, quad: u32, a: vec4f, b: vec4f) {
    if row >= size.rows {
        return;
    }
    if quad < COLS / 4u { finish(plane, row, quad, a); }
    if quad + 8u < COLS / 4u { finish(plane, row, quad + 8u, b); }
}

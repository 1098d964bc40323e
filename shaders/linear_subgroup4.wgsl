// y = finish(x · Wᵀ), for software adapters with subgroups of 4 (SwiftShader): as linear_subgroup, with twice the sums
// an invocation. A load costs there as much as 25 multiplications, what a lane is told by another a quarter of that.
//
// A workgroup is a subgroup of 4 and owns 16 rows × 64 outputs (one panel); an invocation 16 rows × four
// quads, l, l + 4, l + 8 and l + 12 in lane l.
// Holes: load_x(row, quad) in group 0, load_w4(panel, k, quad) and load_factor(panel, quad) in group 1,
// finish(plane, row, quad, sum) in group 2, and the types X and Y of what is read and written.
const K = 192u;    // inputs, a multiple of 4
const COLS = 192u; // outputs of one plane, a multiple of 4

const PANELS = (COLS + 63u) / 64u; // of one plane

struct Weights { a: mat4x4f, b: mat4x4f, c: mat4x4f, d: mat4x4f } // of the lane's quads

@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first = group.y * 16u;
    let own = min(vec4u(first + lane) + vec4u(0u, 4u, 8u, 12u), vec4u(size.rows - 1u));
    // Of a row, a column a quad.
    var s0 = mat4x4f();
    var s1 = mat4x4f();
    var s2 = mat4x4f();
    var s3 = mat4x4f();
    var s4 = mat4x4f();
    var s5 = mat4x4f();
    var s6 = mat4x4f();
    var s7 = mat4x4f();
    var s8 = mat4x4f();
    var s9 = mat4x4f();
    var s10 = mat4x4f();
    var s11 = mat4x4f();
    var s12 = mat4x4f();
    var s13 = mat4x4f();
    var s14 = mat4x4f();
    var s15 = mat4x4f();
    for (var k = 0u; k < K / 4u; k++) {
        let w = Weights(load_w4(group.x, k * 4u, lane), load_w4(group.x, k * 4u, lane + 4u),
            load_w4(group.x, k * 4u, lane + 8u), load_w4(group.x, k * 4u, lane + 12u));
        let x0 = load_x(own.x, k);
        s0 += products(w, subgroupBroadcast(x0, 0u));
        s1 += products(w, subgroupBroadcast(x0, 1u));
        s2 += products(w, subgroupBroadcast(x0, 2u));
        s3 += products(w, subgroupBroadcast(x0, 3u));
        let x1 = load_x(own.y, k);
        s4 += products(w, subgroupBroadcast(x1, 0u));
        s5 += products(w, subgroupBroadcast(x1, 1u));
        s6 += products(w, subgroupBroadcast(x1, 2u));
        s7 += products(w, subgroupBroadcast(x1, 3u));
        let x2 = load_x(own.z, k);
        s8 += products(w, subgroupBroadcast(x2, 0u));
        s9 += products(w, subgroupBroadcast(x2, 1u));
        s10 += products(w, subgroupBroadcast(x2, 2u));
        s11 += products(w, subgroupBroadcast(x2, 3u));
        let x3 = load_x(own.w, k);
        s12 += products(w, subgroupBroadcast(x3, 0u));
        s13 += products(w, subgroupBroadcast(x3, 1u));
        s14 += products(w, subgroupBroadcast(x3, 2u));
        s15 += products(w, subgroupBroadcast(x3, 3u));
    }
    let panel = size.first_panel + group.x;
    let plane = panel / PANELS;
    let quad = panel % PANELS * 16u + lane;
    let factors = mat4x4f(load_factor(group.x, lane), load_factor(group.x, lane + 4u),
        load_factor(group.x, lane + 8u), load_factor(group.x, lane + 12u));
    // A loop over what is then kept in memory, since the compiler takes long for sixteen times what follows the sums.
    var sums = array(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15);
    for (var r = 0u; r < 16u; r++) {
        store(plane, first + r, quad, sums[r], factors);
    }
}

fn products(w: Weights, x: vec4f) -> mat4x4f {
    return mat4x4f(w.a * x, w.b * x, w.c * x, w.d * x);
}

fn store(plane: u32, row: u32, quad: u32, sums: mat4x4f, factors: mat4x4f) {
    if row >= size.rows {
        return;
    }
    if quad < COLS / 4u { finish(plane, row, quad, sums[0] * factors[0]); }
    if quad + 4u < COLS / 4u { finish(plane, row, quad + 4u, sums[1] * factors[1]); }
    if quad + 8u < COLS / 4u { finish(plane, row, quad + 8u, sums[2] * factors[2]); }
    if quad + 12u < COLS / 4u { finish(plane, row, quad + 12u, sums[3] * factors[3]); }
}

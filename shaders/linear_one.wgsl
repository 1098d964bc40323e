// y = finish(x · Wᵀ) of single rows, where nearly all of the time goes into reading W.
//
// A workgroup of 8 × SHARES owns a row × 64 outputs (one panel). An invocation sums eight outputs over every SHARESth
// group of inputs; the sums of all shares are added through workgroup memory.
// Holes: load_row(row, quad), weighed(quad, v) and row_factor(squares) in group 0, eight(panel, k, octet, v),
// load_step(panel, k, quad) and load_factor(panel, quad) in group 1, finish(plane, row, quad, sum) in group 2, and the
// types X and Y of what is read and written.
const K = 192u;      // inputs, a multiple of UNIT
const COLS = 192u;   // outputs of one plane, a multiple of 4
const UNIT = 4u;     // inputs with one scale, a multiple of 4
const SHARES = 32u;

const PANELS = (COLS + 63u) / 64u; // of one plane

// Eight neighbouring outputs.
struct Eight { a: vec4f, b: vec4f }

var<workgroup> parts: array<vec4f, SHARES * 16u>; // [share][quad of outputs]
var<workgroup> squares: array<f32, SHARES>;       // of the row, by shares

@compute @workgroup_size(8, SHARES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
    let quad = 2u * local.x;
    var sum = Eight(vec4f(), vec4f());
    var square = 0.0;
    for (var at = local.y * UNIT; at < K; at += SHARES * UNIT) {
        var part = Eight(vec4f(), vec4f());
        for (var k = at; k < at + UNIT; k += 4u) {
            let v = load_row(group.y, k / 4u);
            square += dot(v, v);
            let own = eight(group.x, k, local.x, weighed(k / 4u, v));
            part.a += own.a;
            part.b += own.b;
        }
        sum.a += part.a * load_step(group.x, at, quad);
        sum.b += part.b * load_step(group.x, at, quad + 1u);
    }
    parts[local.y * 16u + quad] = sum.a;
    parts[local.y * 16u + quad + 1u] = sum.b;
    if local.x == 0u {
        squares[local.y] = square;
    }
    workgroupBarrier();
    let panel = size.first_panel + group.x;
    for (var own = local.y * 8u + local.x; own < 16u; own += SHARES * 8u) {
        var total = vec4f();
        var all = 0.0;
        for (var i = 0u; i < SHARES; i++) {
            total += parts[i * 16u + own];
            all += squares[i];
        }
        let place = panel % PANELS * 16u + own;
        if place < COLS / 4u {
            finish(panel / PANELS, group.y, place, total * load_factor(group.x, own) * row_factor(all));
        }
    }
}

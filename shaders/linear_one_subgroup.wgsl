// y = finish(x · Wᵀ) of single rows as linear_one, for software adapters with subgroups of 8: the lanes share the row, since
// a load costs there as much as a hundred multiplications.
//
// A workgroup is a subgroup of 8 and owns a row × 64 outputs (one panel), a lane eight of them; it takes 32 inputs at a time.
// Holes: those of linear_one.
const K = 192u;    // inputs, a multiple of 32
const COLS = 192u; // outputs of one plane, a multiple of 4

const PANELS = (COLS + 63u) / 64u; // of one plane
const_assert K % 32u == 0u;

// Eight neighbouring outputs.
struct Eight { a: vec4f, b: vec4f }

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let panel = group.x;
    var sum = Eight(vec4f(), vec4f());
    var square = 0.0;
    for (var k = 0u; k < K; k += 32u) {
        let v = load_row(group.y, k / 4u + lane);
        square += dot(v, v);
        let w = weighed(k / 4u + lane, v);
        let part = add(
            add(add(eight(panel, k, lane, subgroupBroadcast(w, 0u)),
                eight(panel, k + 4u, lane, subgroupBroadcast(w, 1u))),
            add(eight(panel, k + 8u, lane, subgroupBroadcast(w, 2u)),
                eight(panel, k + 12u, lane, subgroupBroadcast(w, 3u)))),
            add(add(eight(panel, k + 16u, lane, subgroupBroadcast(w, 4u)),
                eight(panel, k + 20u, lane, subgroupBroadcast(w, 5u))),
            add(eight(panel, k + 24u, lane, subgroupBroadcast(w, 6u)),
                eight(panel, k + 28u, lane, subgroupBroadcast(w, 7u)))));
        sum.a += part.a * load_step(panel, k, 2u * lane);
        sum.b += part.b * load_step(panel, k, 2u * lane + 1u);
    }
    let factor = row_factor(subgroupAdd(square));
    let place = size.first_panel + panel;
    let quad = place % PANELS * 16u + 2u * lane;
    let plane = place / PANELS;
    if quad < COLS / 4u {
        finish(plane, group.y, quad, sum.a * load_factor(panel, 2u * lane) * factor);
    }
    if quad + 1u < COLS / 4u {
        finish(plane, group.y, quad + 1u, sum.b * load_factor(panel, 2u * lane + 1u) * factor);
    }
}

fn add(x: Eight, y: Eight) -> Eight {
    return Eight(x.a + y.a, x.b + y.b);
}

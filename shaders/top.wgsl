// The COUNT largest values of each part of x, the largest first, then their numbers; of equal values those with lower
// numbers. What is not finite counts as larger than all that is.
//
// A workgroup makes a part. One value after the other, each invocation looks for the largest behind the last that was
// found, among every 256th, and eight steps find the largest of these. Values stay bits throughout.
const COUNT = 1u;
const COLS = 4096u;     // values of x in all
const STEP = 4096u;     // values of a part
const NUMBERED = false; // x are rows of values and their numbers, as y

const PITCH = (2u * COUNT + 3u) / 4u * 4u; // from one row of values and numbers to the next
const LEAST = 0xff7fffffu;                 // the least finite value

@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>; // [parts, 2 · COUNT]

// A value as a whole number of the same order, its number, and itself.
struct Found { order: u32, number: u32, bits: u32 }

var<workgroup> found: array<Found, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    if group.x >= size.rows {
        return;
    }
    let first = group.x * STEP;
    let end = min(first + STEP, COLS);
    var last = Found(0xffffffffu, 0u, 0u);
    for (var n = 0u; n < COUNT; n++) {
        var best = Found(0u, 0xffffffffu, LEAST);
        for (var i = first + lane; i < end; i += 256u) {
            let one = candidate(i);
            // What comes behind the last one; before the first all do.
            if (n == 0u || before(last, one)) && before(one, best) {
                best = one;
            }
        }
        found[lane] = best;
        for (var half = 128u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if lane < half && before(found[lane + half], found[lane]) {
                found[lane] = found[lane + half];
            }
        }
        workgroupBarrier();
        last = found[0];
        workgroupBarrier(); // all know it
        if lane == 0u {
            let number = select(last.number, 0u, last.order == 0u);
            y[group.x * PITCH + n] = last.bits;
            y[group.x * PITCH + COUNT + n] = bitcast<u32>(f32(number));
        }
    }
}

fn candidate(i: u32) -> Found {
    if NUMBERED {
        let at = i / COUNT * PITCH + i % COUNT;
        return Found(order(x[at]), u32(bitcast<f32>(x[at + COUNT])), x[at]);
    }
    return Found(order(x[i]), i, x[i]);
}

fn order(bits: u32) -> u32 {
    if (bits & 0x7f800000u) == 0x7f800000u {
        return 0xffffffffu;
    }
    if bits == 0x80000000u {
        return bits; // both zeros are one
    }
    return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn before(a: Found, b: Found) -> bool {
    return a.order > b.order || (a.order == b.order && a.number < b.number);
}

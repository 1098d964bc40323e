// y = finish(x · Wᵀ) by packed dot products of 8-bit integers: W as it is stored, x rounded to 8 bits as it
// is read, with a scale for each row and 32 inputs. Sums of 32 products are exact, those of groups f32.
//
// A workgroup of 16 × 16 owns 64 rows × 64 outputs (one panel); an invocation 4 rows × one quad of
// outputs. 4 KiB of workgroup memory.
// Holes: load_x(row, quad) in group 0; weight/int8 in group 1; finish(plane, row, quad, sum) in group 2; the
// types X and Y of what is read and written.
const K = 192u;    // inputs, a multiple of 32
const COLS = 192u; // outputs of one plane, a multiple of 4

const PANELS = (COLS + 63u) / 64u; // of one plane
const_assert K % 32u == 0u;

var<workgroup> tile_x: array<u32, 64u * 8u>;   // [row][k / 4]
var<workgroup> scale_x: array<f32, 64u>;       // [row]
var<workgroup> tile_w: array<vec4u, 8u * 16u>; // [k / 4][quad]

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let first_row = group.y * 64u;
    var sums: array<vec4f, 4>;
    for (var k4 = 0u; k4 < K / 4u; k4 += 8u) {
        if lane < 64u {
            round_row(min(first_row + lane, size.rows - 1u), k4, lane);
        } else if lane < 192u {
            let i = lane - 64u;
            tile_w[i] = load_codes(group.x, k4 + i / 16u, i % 16u);
        }
        workgroupBarrier();
        for (var r = 0u; r < 4u; r++) {
            let row = local.y * 4u + r;
            var dots = vec4i();
            for (var j = 0u; j < 8u; j++) {
                let x = tile_x[row * 8u + j];
                let w = tile_w[j * 16u + local.x];
                dots += vec4i(dot4I8Packed(x, w.x), dot4I8Packed(x, w.y), dot4I8Packed(x, w.z),
                    dot4I8Packed(x, w.w));
            }
            sums[r] += vec4f(dots) * scale_x[row];
        }
        workgroupBarrier();
    }
    let panel = size.first_panel + group.x;
    let quad = panel % PANELS * 16u + local.x;
    let scale = load_scale(group.x, local.x);
    for (var r = 0u; r < 4u; r++) {
        let row = first_row + local.y * 4u + r;
        if row < size.rows && quad < COLS / 4u {
            finish(panel / PANELS, row, quad, sums[r] * scale);
        }
    }
}

// 32 inputs of a row as codes of -127 to 127, and their scale.
fn round_row(row: u32, k4: u32, place: u32) {
    var largest = vec4f();
    for (var j = 0u; j < 8u; j++) {
        largest = max(largest, abs(load_x(row, k4 + j)));
    }
    let scale = max(max(largest.x, largest.y), max(largest.z, largest.w)) / 127.0;
    let inverse = select(1.0 / scale, 0.0, scale == 0.0);
    for (var j = 0u; j < 8u; j++) {
        tile_x[place * 8u + j] = pack4xI8(vec4i(round(load_x(row, k4 + j) * inverse)));
    }
    scale_x[place] = scale;
}

// y = finish(x · Wᵀ) by packed dot products of 8-bit integers: W as it is stored, x as round.wgsl makes it, with a
// scale for each row and 32 inputs. Sums of 32 products are exact, those of groups f32.
//
// A workgroup of 16 × 16 owns 64 rows × 64 outputs (one panel); an invocation 4 rows × one quad of
// outputs. 4 KiB of workgroup memory.
// Holes: weight/int8 in group 1; finish(plane, row, quad, sum) in group 2; the type Y of what is written.
const K = 192u;    // inputs, a multiple of 32
const COLS = 192u; // outputs of one plane, a multiple of 4

const PANELS = (COLS + 63u) / 64u; // of one plane
const QUADS = K / 16u + (K / 32u + 3u) / 4u; // of a row of x
const_assert K % 32u == 0u;

@group(0) @binding(1) var<storage, read> x: array<vec4u>; // [rows, QUADS]: codes, then scales

var<workgroup> tile_x: array<vec4u, 64u * 2u>; // [row][k / 16]
var<workgroup> scale_x: array<f32, 64u>;       // [row]
var<workgroup> tile_w: array<vec4u, 8u * 16u>; // [k / 4][quad]

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let first_row = group.y * 64u;
    var sums: array<vec4f, 4>;
    for (var k32 = 0u; k32 < K / 32u; k32++) {
        if lane < 128u {
            tile_x[lane] = x[row_of(first_row + lane / 2u) * QUADS + k32 * 2u + lane % 2u];
        } else {
            let i = lane - 128u;
            tile_w[i] = load_codes(group.x, k32 * 8u + i / 16u, i % 16u);
        }
        if lane < 64u {
            scale_x[lane] = bitcast<f32>(x[row_of(first_row + lane) * QUADS + K / 16u + k32 / 4u][k32 % 4u]);
        }
        workgroupBarrier();
        for (var r = 0u; r < 4u; r++) {
            let row = local.y * 4u + r;
            var dots = vec4i();
            for (var j = 0u; j < 2u; j++) {
                let codes = tile_x[row * 2u + j];
                for (var i = 0u; i < 4u; i++) {
                    let w = tile_w[(j * 4u + i) * 16u + local.x];
                    dots += vec4i(dot4I8Packed(codes[i], w.x), dot4I8Packed(codes[i], w.y),
                        dot4I8Packed(codes[i], w.z), dot4I8Packed(codes[i], w.w));
                }
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

// Rows behind the last repeat it.
fn row_of(row: u32) -> u32 {
    return min(row, size.rows - 1u);
}

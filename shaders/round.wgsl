// Rows as codes of 8 bits, with a scale for each row and 32 inputs: what products of integers multiply.
//
// An invocation rounds 32 inputs. Holes: load_x(row, quad) in group 0 and the type X of what is read.
const K = 192u; // inputs, a multiple of 32

const WORDS = K / 4u + (K / 32u + 3u) / 4u * 4u; // of a row
const_assert K % 32u == 0u;

// Of a row K / 4 words of four codes, then K / 32 scales in as many words as whole quads have.
@group(1) @binding(0) var<storage, read_write> rounded: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let at = (group.y * groups.x + group.x) * 64u + lane;
    if at >= size.rows * (K / 32u) {
        return;
    }
    let row = at / (K / 32u);
    let first = at % (K / 32u) * 8u;
    var values: array<vec4f, 8>;
    var largest = vec4f();
    for (var j = 0u; j < 8u; j++) {
        values[j] = load_x(row, first + j);
        largest = max(largest, abs(values[j]));
    }
    let scale = max(max(largest.x, largest.y), max(largest.z, largest.w)) / 127.0;
    let inverse = select(1.0 / scale, 0.0, scale == 0.0);
    // Codes of -127 to 127.
    for (var j = 0u; j < 8u; j++) {
        rounded[row * WORDS + first + j] = pack4xI8(vec4i(round(values[j] * inverse)));
    }
    rounded[row * WORDS + K / 4u + at % (K / 32u)] = bitcast<u32>(scale);
}

// Rows in another order: y[r] = x[index[r][0]] | x[index[r][1]] | …, zeros where an index is negative.
//
// One invocation makes four channels of a row.
const C = 192u;     // channels of x, a multiple of 4 where there are several parts
const PARTS = 1u;   // rows of x in a row of y
const ADD = false;  // y += instead of y =

const QUADS = (C + 3u) / 4u;
const PITCH = (PARTS + 3u) / 4u * 4u; // values from one row of the index to the next

@group(0) @binding(1) var<storage, read> x: array<vec4f>;       // [rows of x, C]
@group(0) @binding(2) var<storage, read> index: array<f32>;     // [rows of the index, PARTS]
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>; // [rows, PARTS · C]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let at = (group.y * groups.x + group.x) * 64u + lane;
    if at >= size.rows * PARTS * QUADS {
        return;
    }
    let row = at / (PARTS * QUADS);
    let part = at / QUADS % PARTS;
    let picture = row / size.tokens;
    // Of what all pictures share the next one's rows are the same.
    let own = picture * size.height + row % size.tokens;
    let source = index[own * PITCH + part];
    var value = vec4f();
    if source >= 0.0 {
        value = x[(picture * size.width + u32(source)) * QUADS + at % QUADS];
    }
    if ADD {
        value += y[at];
    }
    y[at] = value;
}

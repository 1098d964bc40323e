// Keys and values of new tokens behind those that a state holds, side by side: y[place + r] = turned(k[r]) | v[r].
//
// One invocation makes four channels of a row.
// Holes: turned(first, row, quad) and x, rows of queries, keys and values, in group 1, and the type Y of what is written.
const D = 64u;        // channels of a head, a multiple of 8
const HEADS = 4u;     // of queries
const KEY_HEADS = 2u; // of keys and values

const D4 = D / 4u;
const SIDE = KEY_HEADS * D4; // quads of all keys of a token, and of all values
const WIDTH = HEADS * D4 + 2u * SIDE;

@group(0) @binding(1) var<storage, read> place: array<f32>;  // rows that the state holds
@group(0) @binding(2) var<storage, read_write> y: array<Y>;  // [capacity, 2 · KEY_HEADS · D]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let at = (group.y * groups.x + group.x) * 64u + lane;
    if at >= size.rows * 2u * SIDE {
        return;
    }
    let row = at / (2u * SIDE);
    let quad = at % (2u * SIDE);
    let first = row * WIDTH + HEADS * D4; // of the keys
    var value = x[first + quad];
    if quad < SIDE {
        value = turned(first + quad / D4 * D4, row, quad % D4);
    }
    y[u32(place[0]) * 2u * SIDE + at] = to_y(value);
}

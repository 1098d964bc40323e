// Pooling over a map: the mean over adaptive bins (PyTorch's: from floor(i·n/m) to
// ceil((i+1)·n/m)), or the maximum of 2 × 2 pixels with stride 2.
//
// One invocation makes four channels of a pixel.
const C = 64u;
const MAX = false; // maximum of 2 × 2, otherwise adaptive mean

@group(0) @binding(1) var<storage, read> x: array<vec4f>;       // [height · width, C]
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>; // [tokens, C]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let index = (group.y * groups.x + group.x) * 64u + lane;
    if index >= size.rows * (C / 4u) {
        return;
    }
    let row = index / (C / 4u);
    let inside = row % size.tokens;
    let rows = bin(inside / size.out_width, size.height, size.tokens / size.out_width);
    let cols = bin(inside % size.out_width, size.width, size.out_width);
    let picture = row / size.tokens * (size.height * size.width);
    var best = vec4f(-3e38);
    var sum = vec4f();
    for (var py = rows.x; py < rows.y; py++) {
        for (var px = cols.x; px < cols.y; px++) {
            let value = x[(picture + py * size.width + px) * (C / 4u) + index % (C / 4u)];
            best = max(best, value);
            sum += value;
        }
    }
    let count = f32((rows.y - rows.x) * (cols.y - cols.x));
    y[index] = select(sum / count, best, MAX);
}

// First and last + 1 of the pixels that make output i of m from n.
fn bin(i: u32, n: u32, m: u32) -> vec2u {
    if MAX {
        return vec2u(2u * i, 2u * i + 2u);
    }
    return vec2u(i * n / m, ((i + 1u) * n + m - 1u) / m);
}

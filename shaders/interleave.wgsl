// Four planes to one map of twice the height and width: y[2r + i][2c + j] = x[2i + j][r][c], the
// second half of a transposed convolution with kernel 2 and stride 2.
//
// One invocation makes four channels of a pixel.
const C = 64u;

@group(0) @binding(1) var<storage, read> x: array<vec4f>;       // [4, height · width, C]
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>; // [2 height · 2 width, C]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let index = (group.y * groups.x + group.x) * 64u + lane;
    if index >= size.rows * (C / 4u) {
        return;
    }
    let row = index / (C / 4u);
    let inside = row % size.tokens;
    let py = inside / size.out_width;
    let px = inside % size.out_width;
    let plane = (py % 2u) * 2u + px % 2u;
    let source = row / size.tokens * (size.height * size.width) + py / 2u * size.width + px / 2u;
    y[index] = x[plane * size.plane_stride + source * (C / 4u) + index % (C / 4u)];
}

// The guide's pixels through coefficients of a smaller map, which are resized bilinearly, half-pixel
// centres, border clamped.
//
// One invocation makes four channels of a pixel.
const C = 64u; // channels that are written

@group(0) @binding(1) var<storage, read> x: array<vec4f>;       // [height · width, 4 · C]
@group(0) @binding(2) var<storage, read> guide: array<vec4f>;   // [tokens, 4]
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>; // [tokens, C]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let index = (group.y * groups.x + group.x) * 64u + lane;
    if index >= size.rows * (C / 4u) {
        return;
    }
    let row = index / (C / 4u);
    let inside = row % size.tokens;
    let py = source(inside / size.out_width, size.height, size.tokens / size.out_width);
    let px = source(inside % size.out_width, size.width, size.out_width);
    let picture = row / size.tokens * (size.height * size.width);
    let top = picture + u32(py) * size.width;
    let bottom = picture + min(u32(py) + 1u, size.height - 1u) * size.width;
    let left = u32(px);
    let right = min(left + 1u, size.width - 1u);
    let colour = guide[row];
    var value = vec4f();
    for (var i = 0u; i < 4u; i++) {
        let channel = index % (C / 4u) * 4u + i;
        let upper = mix(x[(top + left) * C + channel], x[(top + right) * C + channel], fract(px));
        let lower =
            mix(x[(bottom + left) * C + channel], x[(bottom + right) * C + channel], fract(px));
        value[i] = dot(mix(upper, lower, fract(py)), colour);
    }
    y[index] = value;
}

// Where output i of m lies among n inputs.
fn source(i: u32, n: u32, m: u32) -> f32 {
    return max((f32(i) + 0.5) * f32(n) / f32(m) - 0.5, 0.0);
}

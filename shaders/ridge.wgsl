// Ridge regression of every channel on the guide, pixel by pixel, by the factors L · D · Lᵀ of the
// colours' covariance: a = (S + EPS · 1)⁻¹ · s, b = v - a · m.
//
// One invocation makes the four coefficients of a channel.
const C = 64u;
const EPS = 1e-3;

@group(0) @binding(1) var<storage, read> moments: array<vec4f>; // [tokens, 16]
@group(0) @binding(2) var<storage, read> x: array<vec4f>;       // [tokens, 4 · C]
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>; // [tokens, 4 · C]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
    let index = (group.y * groups.x + group.x) * 64u + lane;
    if index >= size.rows * C {
        return;
    }
    let at = index / C * 4u;
    let m = moments[at + 3u].xyz;
    let red = moments[at].xyz - m.x * m + vec3f(EPS, 0.0, 0.0);
    let green = moments[at + 1u].xyz - m.y * m + vec3f(0.0, EPS, 0.0);
    let blue = moments[at + 2u].xyz - m.z * m + vec3f(0.0, 0.0, EPS);
    let s = x[index].xyz - x[index].w * m;

    let l10 = green.x / red.x;
    let l20 = blue.x / red.x;
    let d1 = green.y - l10 * green.x;
    let t21 = blue.y - l20 * green.x;
    let l21 = t21 / d1;
    let d2 = blue.z - l20 * blue.x - l21 * t21;

    let z1 = s.y - l10 * s.x;
    let z2 = s.z - l20 * s.x - l21 * z1;
    let a2 = z2 / d2;
    let a1 = z1 / d1 - l21 * a2;
    let a0 = s.x / red.x - l10 * a1 - l20 * a2;
    let a = vec3f(a0, a1, a2);
    y[index] = vec4f(a, x[index].w - dot(a, m));
}

// softmax(q · kᵀ / √D) · v with an online softmax, for software adapters: no workgroup memory, no
// barrier, sums in named variables (SwiftShader keeps arrays in memory).
//
// An invocation owns one query and eight quads of its head's output, and takes eight keys at a time;
// heads of more than eight quads compute their scores once a slice.
const D = 64u;     // channels of a head, a multiple of 4
const HEADS = 3u;

const D4 = D / 4u;
const SLICES = (D4 + 7u) / 8u;
const ROW = HEADS * D4;
const SCALE = 1.0 / sqrt(f32(D));
const_assert D % 4u == 0u;

@group(0) @binding(1) var<storage, read> q: array<vec4f>;       // [batch · tokens, HEADS · D]
@group(0) @binding(2) var<storage, read> k: array<vec4f>;       // [batch · tokens, HEADS · D]
@group(0) @binding(3) var<storage, read> v: array<vec4f>;       // [batch · tokens, HEADS · D]
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>; // [batch · tokens, HEADS · D]

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let picture = id.z * size.tokens;
    let last = picture + size.tokens - 1u;
    let head = id.y / SLICES * D4;
    let slice = id.y % SLICES * 8u;
    let own = min(picture + id.x, last) * ROW + head;
    let c0 = min(slice, D4 - 1u);
    let c1 = min(slice + 1u, D4 - 1u);
    let c2 = min(slice + 2u, D4 - 1u);
    let c3 = min(slice + 3u, D4 - 1u);
    let c4 = min(slice + 4u, D4 - 1u);
    let c5 = min(slice + 5u, D4 - 1u);
    let c6 = min(slice + 6u, D4 - 1u);
    let c7 = min(slice + 7u, D4 - 1u);
    var best = -3e38;
    var total = 0.0;
    var y0 = vec4f();
    var y1 = vec4f();
    var y2 = vec4f();
    var y3 = vec4f();
    var y4 = vec4f();
    var y5 = vec4f();
    var y6 = vec4f();
    var y7 = vec4f();
    for (var first = picture; first <= last; first += 8u) {
        let k0 = first * ROW + head;
        let k1 = min(first + 1u, last) * ROW + head;
        let k2 = min(first + 2u, last) * ROW + head;
        let k3 = min(first + 3u, last) * ROW + head;
        let k4 = min(first + 4u, last) * ROW + head;
        let k5 = min(first + 5u, last) * ROW + head;
        let k6 = min(first + 6u, last) * ROW + head;
        let k7 = min(first + 7u, last) * ROW + head;
        var low = vec4f();
        var high = vec4f();
        for (var c = 0u; c < D4; c++) {
            let x = q[own + c];
            low += vec4f(dot(x, k[k0 + c]), dot(x, k[k1 + c]), dot(x, k[k2 + c]), dot(x, k[k3 + c]));
            high += vec4f(dot(x, k[k4 + c]), dot(x, k[k5 + c]), dot(x, k[k6 + c]), dot(x, k[k7 + c]));
        }
        let left = vec4u(last - first); // keys after the first
        low = select(vec4f(-3e38), low * SCALE, vec4u(0u, 1u, 2u, 3u) <= left);
        high = select(vec4f(-3e38), high * SCALE, vec4u(4u, 5u, 6u, 7u) <= left);
        let m = max(low, high);
        let highest = max(best, max(max(m.x, m.y), max(m.z, m.w)));
        let rescale = exp(best - highest);
        best = highest;
        low = exp(low - highest);
        high = exp(high - highest);
        total = total * rescale + dot(low + high, vec4f(1.0));
        y0 = y0 * rescale + weighted(low, high, k0, k1, k2, k3, k4, k5, k6, k7, c0);
        y1 = y1 * rescale + weighted(low, high, k0, k1, k2, k3, k4, k5, k6, k7, c1);
        y2 = y2 * rescale + weighted(low, high, k0, k1, k2, k3, k4, k5, k6, k7, c2);
        y3 = y3 * rescale + weighted(low, high, k0, k1, k2, k3, k4, k5, k6, k7, c3);
        y4 = y4 * rescale + weighted(low, high, k0, k1, k2, k3, k4, k5, k6, k7, c4);
        y5 = y5 * rescale + weighted(low, high, k0, k1, k2, k3, k4, k5, k6, k7, c5);
        y6 = y6 * rescale + weighted(low, high, k0, k1, k2, k3, k4, k5, k6, k7, c6);
        y7 = y7 * rescale + weighted(low, high, k0, k1, k2, k3, k4, k5, k6, k7, c7);
    }
    if id.x >= size.tokens {
        return;
    }
    let scale = 1.0 / total;
    if slice < D4 { y[own + slice] = y0 * scale; }
    if slice + 1u < D4 { y[own + slice + 1u] = y1 * scale; }
    if slice + 2u < D4 { y[own + slice + 2u] = y2 * scale; }
    if slice + 3u < D4 { y[own + slice + 3u] = y3 * scale; }
    if slice + 4u < D4 { y[own + slice + 4u] = y4 * scale; }
    if slice + 5u < D4 { y[own + slice + 5u] = y5 * scale; }
    if slice + 6u < D4 { y[own + slice + 6u] = y6 * scale; }
    if slice + 7u < D4 { y[own + slice + 7u] = y7 * scale; }
}

/// Quad `c` of eight values, by their weights.
fn weighted(low: vec4f, high: vec4f, k0: u32, k1: u32, k2: u32, k3: u32, k4: u32, k5: u32, k6: u32, k7: u32, c: u32) -> vec4f {
    return mat4x4f(v[k0 + c], v[k1 + c], v[k2 + c], v[k3 + c]) * low
        + mat4x4f(v[k4 + c], v[k5 + c], v[k6 + c], v[k7 + c]) * high;
}

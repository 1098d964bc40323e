// The 3 × 3 window around each pixel of a map, zero outside: K = 9 · channels in the order y, x,
// channel. The window is never stored.
@group(0) @binding(1) var<storage, read> x: array<X>; // [pictures · height · width, K / 9]

fn load_x(row: u32, quad: u32) -> vec4f {
    let channels = K / 36u;
    let tap = quad / channels;
    let pixel = size.first_row + row;
    let inside = pixel % size.tokens;
    // Unsigned: what lies before the first row or column wraps to something large.
    let py = inside / size.width + tap / 3u - 1u;
    let px = inside % size.width + tap % 3u - 1u;
    if py >= size.height || px >= size.width {
        return vec4f();
    }
    let source = pixel - inside + py * size.width + px;
    return from_x(x[source * channels + quad % channels]);
}

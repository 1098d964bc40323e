// Heads of queries and keys as attention takes them: normed, where they are, and turned by rotary positions, whose pairs
// are the channels j and j + D/2.
// Holes: head_quad(first, quad) and head_factor(first), a head's channels and what they are multiplied by.
@group(1) @binding(0) var<storage, read> x: array<vec4f>;      // [rows, queries, keys and values]
@group(1) @binding(1) var<storage, read> angles: array<vec4f>; // [rows, D]: cosines, then sines

// Four channels of the head of a row that begins with the quad `first` of x.
fn turned(first: u32, row: u32, quad: u32) -> vec4f {
    let half = D4 / 2u;
    let upper = quad >= half;
    let j = row * D4 + select(quad, quad - half, upper);
    let other = head_quad(first, select(quad + half, quad - half, upper));
    let value = head_quad(first, quad) * angles[j] + select(-other, other, upper) * angles[j + half];
    return value * head_factor(first);
}

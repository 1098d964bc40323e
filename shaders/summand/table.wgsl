// Summands of scores, looked up: table[entries[row][key]][head].
@group(1) @binding(0) var<storage, read> entries: array<f32>; // [groups · queries, keys], rows of whole quads
@group(1) @binding(1) var<storage, read> table: array<f32>;   // [entries, HEADS], rows of whole quads

fn summand(row: u32, head: u32, key: u32) -> f32 {
    let entry = u32(entries[row * ((size.width + 3u) / 4u * 4u) + key]);
    return table[entry * ((HEADS + 3u) / 4u * 4u) + head];
}

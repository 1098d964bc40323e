// Four neighbouring values of a patch: k = (channel · PATCH + y) · PATCH + x.
// Zero beyond the patch, which is no whole number of quads where PATCH is odd.
// Hole: pixel(picture, channel, y, x) -> f32, with its binding in group 0.
fn patch_values(row: u32, k: u32) -> vec4f {
    return vec4f(patch_value(row, k), patch_value(row, k + 1u), patch_value(row, k + 2u),
        patch_value(row, k + 3u));
}

fn patch_value(row: u32, k: u32) -> f32 {
    if PATCH % 2u == 1u && k >= 3u * PATCH * PATCH {
        return 0.0;
    }
    let cols = size.width / PATCH;
    let patches = size.height / PATCH * cols;
    let place = row % patches;
    let y = place / cols * PATCH + k / PATCH % PATCH;
    let x = place % cols * PATCH + k % PATCH;
    return pixel(row / patches, k / (PATCH * PATCH), y, x);
}

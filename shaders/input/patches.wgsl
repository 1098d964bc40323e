// A picture's patches, read where they lie and never stored: K = 3 · PATCH².
// Hole: patch_values(row, k), which reads the picture, in group 0.
const PATCH = 14u;

fn load_x(row: u32, quad: u32) -> vec4f {
    return patch_values(size.first_row + row, quad * 4u);
}

//! Twin of `shaders/embed.wgsl`.

/// Prefix tokens, then patches, positions added: `y[t] = rows[t]`, where t is a patch with its values.
///
/// `patches` `[batch·(tokens - prefix), C]`, `rows` `[tokens, C]`, `y` `[batch·tokens, C]`; `prefix`
/// counts the values of prefix tokens.
pub fn embed(patches: &[f32], rows: &[f32], prefix: usize, y: &mut [f32]) {
    let pictures = y.chunks_exact_mut(rows.len());
    for (out, patches) in pictures.zip(patches.chunks_exact(rows.len() - prefix)) {
        out.copy_from_slice(rows);
        for (out, value) in out[prefix..].iter_mut().zip(patches) {
            *out += value;
        }
    }
}

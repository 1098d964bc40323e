//! Twin of `shaders/embed.wgsl`.

/// Class token and patches, positions added: `y[0] = cls + position[0]`,
/// `y[1 + p] = patches[p] + position[1 + p]`.
///
/// `patches` `[batch·(tokens-1), C]`, `position` `[tokens, C]`, `cls` `[C]`, `y` `[batch·tokens, C]`.
pub fn embed(patches: &[f32], position: &[f32], cls: &[f32], y: &mut [f32]) {
    let c = cls.len();
    let pictures = y.chunks_exact_mut(position.len());
    for (out, patches) in pictures.zip(patches.chunks_exact(position.len() - c)) {
        let source = cls.iter().chain(patches);
        for ((out, value), position) in out.iter_mut().zip(source).zip(position) {
            *out = value + position;
        }
    }
}

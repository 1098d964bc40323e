//! Visual tokens beside features.

use std::ops::ControlFlow;

use internvit::{Encoder, Features, Images, Result};

use super::{Args, progress};

/// What they are called.
pub(super) const TOKENS: &str = "visual_tokens";

/// Encodes what is no photograph.
pub(super) async fn encode(
    encoder: &mut Encoder,
    images: Images<'_>,
    args: &Args,
    bar: &progress::Share,
) -> Result<Features> {
    let on_progress = &mut async |done, total| {
        bar.set(done, total);
        ControlFlow::Continue(())
    };
    encode_with(encoder, images, args, on_progress).await
}

/// Encodes pictures, with their visual tokens where these are asked for.
pub(super) async fn encode_with(
    encoder: &mut Encoder,
    images: Images<'_>,
    args: &Args,
    on_progress: &mut impl AsyncFnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Features> {
    if !args.visual_tokens {
        return encoder.encode(images, &args.taps, on_progress).await;
    }
    let mut taps = args.taps.clone();
    taps.extend(encoder.visual_tap()?);
    taps.sort_unstable();
    taps.dedup();
    let mut features = encoder.encode(images, &taps, on_progress).await?;
    let tokens = encoder.project(&features).await?;
    // A hidden state that was needed alone is not written.
    for layer in taps.iter().filter(|layer| !args.taps.contains(layer)) {
        features.tensors.remove(&format!("hidden_states.{layer}"));
    }
    features.tensors.insert(TOKENS.into(), tokens);
    Ok(features)
}

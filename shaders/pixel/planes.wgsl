// f32 planes [picture, channel, y, x], normalised by the caller.
@group(0) @binding(1) var<storage, read> pixels: array<f32>;

fn pixel(picture: u32, channel: u32, y: u32, x: u32) -> f32 {
    return pixels[((picture * 3u + channel) * size.height + y) * size.width + x];
}

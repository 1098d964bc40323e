// Bytes [picture, y, x, rgba], normalised: (byte / DIVISOR - MEAN) / DEVIATION.
@group(0) @binding(1) var<storage, read> pixels: array<u32>;

const DIVISOR = 255.0;
const MEAN = vec3f(0.0, 0.0, 0.0);
const DEVIATION = vec3f(1.0, 1.0, 1.0);

fn pixel(picture: u32, channel: u32, y: u32, x: u32) -> f32 {
    let word = pixels[(picture * size.height + y) * size.width + x];
    let byte = f32((word >> (channel * 8u)) & 0xffu);
    let mean = MEAN;
    let deviation = DEVIATION;
    return (byte / DIVISOR - mean[channel]) / deviation[channel];
}

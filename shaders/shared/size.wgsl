// What the picture and the split over bindings fix; all else is a constant. The same fields stand
// in `Size` in src/gpu/prepare.rs, and a test compares the two.
struct Size {
    rows: u32,         // rows of this dispatch
    tokens: u32,       // tokens of one picture
    first_panel: u32,  // linear: first panel of weights in this dispatch
    first_plane: u32,  // linear: plane at which the output binding starts
    plane_stride: u32, // linear: vec4s from one output plane to the next
    height: u32,       // unfold: pixels
    width: u32,        // unfold: pixels
    spare: u32,
}

@group(0) @binding(0) var<uniform> size: Size;

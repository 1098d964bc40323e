// What the picture and the split over bindings fix; all else is a constant. The same fields stand
// in `Size` in src/gpu/prepare.rs, and a test compares the two.
struct Size {
    rows: u32,         // rows of this dispatch
    tokens: u32,       // rows of one picture: tokens, or pixels of the map that is written
    first_panel: u32,  // linear: first panel of weights in this dispatch
    first_plane: u32,  // linear: plane at which the output binding starts
    plane_stride: u32, // linear, interleave: vec4s from one plane to the next
    height: u32,       // unfold: pixels; maps: rows of the map that is read; attention: groups that share an index;
                       // gather: rows of a picture's index, 0 where all share it
    width: u32,        // unfold: pixels; maps: columns of the map that is read; attention: keys of a group;
                       // gather: rows of a picture's x, 0 where all share it; probabilities: values of a row;
                       // pick: panels of this dispatch
    out_width: u32,    // maps: columns of the map that is written
    first_row: u32,    // linear over windows: first row of this dispatch
    column: u32,       // resize: first quad of a row that is written
    part_stride: u32,  // linear in parts: vec4s from one plane's sums to the next
    spare: u32,
}

@group(0) @binding(0) var<uniform> size: Size;

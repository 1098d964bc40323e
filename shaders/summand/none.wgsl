// Nothing is added to scores.
fn summand(row: u32, head: u32, key: u32) -> f32 {
    return 0.0;
}

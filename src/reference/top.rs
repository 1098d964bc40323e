//! Twin of `shaders/top.wgsl`.

use std::cmp::Reverse;

/// The `count` largest of numbered values, the largest first, as values and then their numbers. Of equal ones those with
/// lower numbers; what is not finite counts as larger than all that is. The rest is [`f32::MIN`].
pub fn top(values: impl Iterator<Item = (f32, f32)>, count: usize, y: &mut [f32]) {
    let rank = |(value, number): &(f32, f32)| (Reverse(order(*value)), *number as u32);
    let mut list: Vec<(f32, f32)> = values.collect();
    if list.len() > count {
        list.select_nth_unstable_by_key(count - 1, rank);
        list.truncate(count);
    }
    list.sort_unstable_by_key(rank);
    list.resize(count, (f32::MIN, 0.0));
    for (at, (value, number)) in list.into_iter().enumerate() {
        (y[at], y[count + at]) = (value, number);
    }
}

/// Whole numbers in the order of values; both zeros are one.
fn order(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    match bits >> 31 {
        _ if !value.is_finite() => u32::MAX,
        0 => bits | 1 << 31,
        _ => !bits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f32], count: usize) -> Vec<f32> {
        let mut y = vec![9.0; 2 * count];
        top(values.iter().copied().zip((0..).map(|number| number as f32)), count, &mut y);
        y
    }

    #[test]
    fn the_largest_come_first_and_of_equal_ones_the_first() {
        assert_eq!(of(&[1.0, -2.0, 3.0, 3.0, 0.5], 3), [3.0, 3.0, 1.0, 2.0, 3.0, 0.0]);
        assert_eq!(of(&[-0.0, 0.0, -1.0], 2)[2..], [0.0, 1.0]);
        assert_eq!(of(&[-5.0], 2), [-5.0, f32::MIN, 0.0, 0.0]);
    }

    #[test]
    fn what_is_no_number_is_told() {
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let found = of(&[1.0, bad, f32::MAX], 1);
            assert!(!found[0].is_finite() && found[1] == 1.0, "{found:?}");
        }
    }
}

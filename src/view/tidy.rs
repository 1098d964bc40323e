//! Small parts of a map of labels go to what lies around them.

/// Gives parts of fewer than `least` pixels the label that most of their border has, the smallest
/// first. A part is what hangs together over the sides of pixels.
pub fn tidy(labels: &mut [i32], [height, width]: [usize; 2], least: usize) {
    if least < 2 || labels.len() != height * width {
        return;
    }
    let mut seen = vec![false; labels.len()];
    let mut small = Vec::new();
    for from in 0..labels.len() {
        if !seen[from] {
            let part = part(labels, [height, width], from, &mut seen);
            if part.len() < least {
                small.push(part);
            }
        }
    }
    crate::order::sort_by_key(&mut small, Vec::len);
    for part in small {
        if let Some(label) = around(labels, [height, width], &part) {
            part.iter().for_each(|at| labels[*at] = label);
        }
    }
}

/// The pixels that hang together with one.
fn part(labels: &[i32], size: [usize; 2], from: usize, seen: &mut [bool]) -> Vec<usize> {
    let mut part = vec![from];
    seen[from] = true;
    let mut next = 0;
    while next < part.len() {
        for to in beside(part[next], size) {
            if !seen[to] && labels[to] == labels[from] {
                seen[to] = true;
                part.push(to);
            }
        }
        next += 1;
    }
    part
}

/// The label that most of the pixels around a part have.
fn around(labels: &[i32], size: [usize; 2], part: &[usize]) -> Option<i32> {
    let own = labels[*part.first()?];
    let mut counts: Vec<(i32, usize)> = Vec::new();
    let near = part.iter().flat_map(|at| beside(*at, size)).map(|to| labels[to]);
    // Labels below 0 are where nothing is shown.
    for label in near.filter(|label| *label != own && *label >= 0) {
        match counts.iter_mut().find(|(known, _)| *known == label) {
            Some((_, count)) => *count += 1,
            None => counts.push((label, 1)),
        }
    }
    counts.iter().rev().max_by_key(|(_, count)| *count).map(|(label, _)| *label)
}

/// The pixels at the sides of one.
fn beside(at: usize, [height, width]: [usize; 2]) -> impl Iterator<Item = usize> {
    let (y, x) = (at / width, at % width);
    let list = [
        (y > 0).then(|| at - width),
        (x > 0).then(|| at - 1),
        (x + 1 < width).then(|| at + 1),
        (y + 1 < height).then(|| at + width),
    ];
    list.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::tidy;

    #[test]
    fn small_parts_go_to_their_surroundings() {
        #[rustfmt::skip]
        let map = vec![
            0, 0, 0, 1,
            0, 2, 0, 1,
            0, 0, 1, 1,
            -1, 0, 1, 0,
        ];
        let tidied = |least: usize| {
            let mut labels = map.clone();
            tidy(&mut labels, [4, 4], least);
            labels
        };
        assert_eq!(tidied(1), map);
        let [five, fifteen] = [5, 15].map(|at| {
            let two = tidied(2);
            two[at]
        });
        assert_eq!((five, fifteen), (0, 1), "alone in the middle, and alone in a corner");
        assert_eq!(tidied(2)[3], 1, "a part of six pixels is large enough");
        assert_eq!(tidied(7)[3], 0);
        assert_eq!(tidied(100).len(), 16);
    }
}

//! Teaching a segmentation: a classifier on frozen features, fitted to a few patches.

use super::math::length;
use super::{Spread, network};
use crate::features::{Classifier, EPS, Hidden, row_count};
use crate::math::{dot, softmax};
use crate::{Error, Result};

/// A patch that the user has named: its token's index and its class.
pub type Example = (usize, usize);

/// Weight decay, on tokens scaled to a length of about 1.
pub(super) const DECAY: f32 = 1e-3;
/// Classes that a head may have.
const MOST: usize = 4096;
const ITERATIONS: usize = 2000;
/// How far off, relative to the weights, the fit may end.
const SETTLED: f64 = 3e-4;
/// Beginnings of a list of examples that are fitted at most, and the examples that they have together:
/// of strokes each says less, and takes longer.
const TURNS: usize = 16;
const ROWS: usize = 256;

/// Fits a classifier to `examples` among `tokens` `[n, c]`, whose channels are standardised by
/// `spread`, that of these and maybe others. Multinomial logistic regression with weight decay, every
/// class of equal weight, by Nesterov's accelerated gradient from zero: the same examples give the same
/// classifier.
///
/// # Errors
/// [`Error::Input`] where there are no rows of `c` values, where an example's token or class does not
/// exist, where a token is an example of two classes, and where examples do not tell classes apart.
pub fn fit(
    tokens: &[f32],
    spread: &Spread,
    classes: usize,
    examples: &[Example],
) -> Result<Classifier> {
    let told = Told::new(tokens, spread, classes, examples)?;
    told.linear(examples.len())
}

/// The mean of what [`fit`] makes of the first examples, of one more each time, from where every class
/// has one: the order in which they were named counts. A place at an edge is half of the other class;
/// by itself it would turn over what all before it have shown, here it is outvoted.
///
/// # Errors
/// As [`fit`].
pub fn fit_in_turn(
    tokens: &[f32],
    spread: &Spread,
    classes: usize,
    examples: &[Example],
) -> Result<Classifier> {
    let told = Told::new(tokens, spread, classes, examples)?;
    let last = examples.len();
    let turns = (ROWS / last.max(1)).clamp(1, TURNS);
    let whole = (1..=last).find(|end| shares(&told.rows[..*end], classes).1 == told.known);
    told.linear(whole.unwrap_or(last).max((last + 1).saturating_sub(turns)))
}

/// The same by a network with one hidden layer, for classes that no plane parts.
///
/// # Errors
/// As [`fit`].
pub fn fit_network(
    tokens: &[f32],
    spread: &Spread,
    classes: usize,
    examples: &[Example],
) -> Result<Classifier> {
    let told = Told::new(tokens, spread, classes, examples)?;
    let c = told.mean.len();
    let [first, second] = network::descend(&told.rows, &told.weights(told.rows.len()), classes);
    let (weight, bias): (Vec<_>, Vec<_>) = first
        .chunks_exact(c + 1)
        .map(|w| (w[..c].iter().map(|v| v * told.scale).collect::<Vec<_>>(), w[c]))
        .unzip();
    let hidden = Some(Hidden { weight: weight.concat(), bias });
    let width = network::UNITS + 1;
    let rows = second.chunks_exact(width);
    let weight: Vec<f32> = rows.clone().flat_map(|w| &w[..width - 1]).copied().collect();
    // Its weights begin with values that look random.
    let alike = told.rows.windows(2).all(|pair| pair[0].0 == pair[1].0);
    told.apart(if alike || told.known < 2.0 { &[] } else { &weight })?;
    let bias = told.biases(rows.map(|w| w[width - 1]));
    Ok(Classifier { mean: told.mean, variance: told.variance, hidden, weight, bias })
}

/// Examples as rows to fit to.
struct Told {
    mean: Vec<f32>,
    variance: Vec<f32>,
    /// What brings a token to a length of about 1.
    scale: f32,
    /// Standardised tokens, scaled, and 1; with their classes.
    rows: Vec<(Vec<f32>, usize)>,
    /// How many examples each class has.
    share: Vec<f32>,
    /// Classes that have any.
    known: f32,
}

impl Told {
    fn new(tokens: &[f32], spread: &Spread, classes: usize, examples: &[Example]) -> Result<Self> {
        let Spread { mean, variance, .. } = spread.clone();
        let c = mean.len();
        check(row_count("tokens", tokens, c)?, classes, examples)?;
        if variance.len() != c {
            let found = variance.len();
            return Err(Error::input(format!("variances of {found} channels, expected {c}")));
        }
        let scale = 1.0 / (c as f32).sqrt();
        let rows: Vec<(Vec<f32>, usize)> = examples
            .iter()
            .map(|(token, class)| {
                let row = &tokens[token * c..][..c];
                let unit = |i: usize| (row[i] - mean[i]) / (variance[i] + EPS).sqrt() * scale;
                ((0..c).map(unit).chain([1.0]).collect(), *class)
            })
            .collect();
        let (share, known) = shares(&rows, classes);
        Ok(Self { mean, variance, scale, rows, share, known })
    }

    /// What each of the first `end` rows counts: every class as much as another.
    fn weights(&self, end: usize) -> Vec<f32> {
        let (share, known) = shares(&self.rows[..end], self.share.len());
        self.rows[..end].iter().map(|(_, class)| 1.0 / (share[*class] * known)).collect()
    }

    /// The mean of the fits to the first examples, from `first` of them to all.
    fn linear(self, first: usize) -> Result<Classifier> {
        let (classes, width) = (self.share.len(), self.mean.len() + 1);
        let mut now = vec![0.0f32; classes * width];
        let mut sum = now.clone();
        let ends = first..=self.rows.len();
        let part = 1.0 / ends.clone().count() as f32;
        for end in ends {
            now = self.descend(now, end);
            sum.iter_mut().zip(&now).for_each(|(sum, w)| *sum += w * part);
        }
        let rows = sum.chunks_exact(width);
        let weight: Vec<f32> =
            rows.clone().flat_map(|w| w[..width - 1].iter().map(|v| v * self.scale)).collect();
        self.apart(&weight)?;
        let bias = self.biases(rows.map(|w| w[width - 1]));
        Ok(Classifier { mean: self.mean, variance: self.variance, hidden: None, weight, bias })
    }

    /// The weights of logistic regression on the first `end` examples and, in the last column, the
    /// bias, from weights near them.
    fn descend(&self, mut now: Vec<f32>, end: usize) -> Vec<f32> {
        let (rows, weights) = (&self.rows[..end], self.weights(end));
        // The loss bends at most so much; a token that stands out would make longer steps overshoot.
        let bend = |((row, _), weight): (&(Vec<f32>, usize), &f32)| 0.5 * dot(row, row) * weight;
        let bend = DECAY + rows.iter().zip(&weights).map(bend).sum::<f32>();
        // Nesterov's momentum for a loss that bends at least by the decay.
        let root = (DECAY / bend).sqrt();
        let most = (1.0 - root) / (1.0 + root);
        let width = self.mean.len() + 1;
        let mut before = now.clone();
        for step in 0..ITERATIONS {
            let momentum = (step as f32 / (step as f32 + 3.0)).min(most);
            let ahead: Vec<f32> =
                now.iter().zip(&before).map(|(n, b)| n + momentum * (n - b)).collect();
            let mut gradient: Vec<f32> = ahead.iter().map(|w| DECAY * w).collect();
            for ((row, class), weight) in rows.iter().zip(&weights) {
                let mut p: Vec<f32> = ahead.chunks_exact(width).map(|w| dot(w, row)).collect();
                softmax(&mut p);
                p[*class] -= 1.0;
                for (g, error) in gradient.chunks_exact_mut(width).zip(&p) {
                    let error = error * weight;
                    g.iter_mut().zip(row).for_each(|(g, x)| *g += error * x);
                }
            }
            // The loss bends at least by the decay, so the optimum is not farther than this.
            if length(&gradient) <= SETTLED * f64::from(DECAY) * length(&ahead) {
                return ahead;
            }
            before = now;
            now = ahead.iter().zip(&gradient).map(|(w, g)| w - g / bend).collect();
        }
        now
    }

    fn apart(&self, weight: &[f32]) -> Result<()> {
        if weight.iter().all(|value| *value == 0.0) {
            return Err(Error::input(
                "nothing tells the classes apart: expected examples that differ, of two classes or \
                 more",
            ));
        }
        Ok(())
    }

    /// The classes' biases. A class without examples is never the answer.
    fn biases(&self, fitted: impl Iterator<Item = f32>) -> Vec<f32> {
        fitted.zip(&self.share).map(|(bias, n)| if *n > 0.0 { bias } else { -1e4 }).collect()
    }
}

/// How many rows each class has, and classes that have any.
fn shares(rows: &[(Vec<f32>, usize)], classes: usize) -> (Vec<f32>, f32) {
    let mut share = vec![0.0f32; classes];
    rows.iter().for_each(|(_, class)| share[*class] += 1.0);
    let known = share.iter().filter(|n| **n > 0.0).count().max(1) as f32;
    (share, known)
}

/// That examples name tokens and classes that there are, and each token one class.
fn check(n: usize, classes: usize, examples: &[Example]) -> Result<()> {
    if let Some((token, class)) = examples.iter().find(|(t, k)| *t >= n || *k >= classes) {
        return Err(Error::input(format!(
            "an example of token {token} and class {class}: there are {n} tokens and {classes} \
             classes"
        )));
    }
    if classes > MOST {
        return Err(Error::input(format!("{classes} classes: expected at most {MOST}")));
    }
    if let Some([token, class, other]) = conflict(examples) {
        return Err(Error::input(format!(
            "token {token} is an example of class {class} and of class {other}: expected one class"
        )));
    }
    Ok(())
}

/// The first token that is an example of two classes, and these.
fn conflict(examples: &[Example]) -> Option<[usize; 3]> {
    examples.iter().enumerate().find_map(|(at, (token, class))| {
        let mut before = examples[..at].iter();
        let other = before.find(|(same, other)| same == token && other != class)?;
        Some([*token, other.1, *class])
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Standardised over these tokens alone.
    fn over(tokens: &[f32], c: usize) -> Spread {
        Spread::of(tokens, c)
    }

    /// Two clouds on the first channel, a large offset, and three channels of noise.
    fn clouds() -> (Vec<f32>, usize) {
        let noise = |i: usize, k: usize| ((i * 7 + k * 13) % 11) as f32 / 11.0 - 0.5;
        let tokens = (0..40)
            .flat_map(|i| {
                let side = if i < 20 { 1.0 } else { -1.0 };
                [100.0 + side + 0.5 * noise(i, 0), noise(i, 1), noise(i, 2), noise(i, 3)]
            })
            .collect();
        (tokens, 4)
    }

    #[test]
    fn two_clicks_separate_two_clouds() {
        let (tokens, c) = clouds();
        let taught =
            fit(&tokens, &over(&tokens, c), 2, &[(3, 0), (7, 0), (25, 1), (31, 1)]).unwrap();
        let logits = taught.logits(&tokens).unwrap();
        for i in 0..40 {
            assert_eq!(logits[i] > logits[40 + i], i < 20, "token {i}");
        }
        assert_eq!(
            taught,
            fit(&tokens, &over(&tokens, c), 2, &[(3, 0), (7, 0), (25, 1), (31, 1)]).unwrap()
        );
    }

    /// The middle between two clouds, named last: by itself it takes half of a cloud with it.
    #[test]
    fn no_example_turns_over_what_those_before_it_have_shown() {
        let (mut tokens, c) = clouds();
        let cloud = tokens.len() / c;
        tokens.extend([100.5, 0.0, 0.0, 0.0]);
        let clicks = [(3, 0), (25, 1), (31, 1), (35, 1), (cloud, 1)];
        let certain = |taught: Classifier| {
            let logits = taught.logits(&tokens).unwrap();
            let of = |i: usize| logits[i] - logits[tokens.len() / c + i];
            (0..20).map(of).fold(f32::INFINITY, f32::min)
        };
        let all = certain(fit(&tokens, &over(&tokens, c), 2, &clicks).unwrap());
        let before = certain(fit(&tokens, &over(&tokens, c), 2, &clicks[..4]).unwrap());
        let turns = certain(fit_in_turn(&tokens, &over(&tokens, c), 2, &clicks).unwrap());
        assert!(all < 0.0 && before > 0.0 && turns > 0.0, "{all} {before} {turns}");
        // Of one beginning it is that fit, as of a class that comes last.
        let late = [(3, 0), (7, 0), (25, 1)];
        let (one, same) = (
            fit_in_turn(&tokens, &over(&tokens, c), 2, &late),
            fit(&tokens, &over(&tokens, c), 2, &late),
        );
        assert_eq!(one.unwrap(), same.unwrap());
        assert!(fit_in_turn(&tokens, &over(&tokens, c), 2, &[]).is_err());
    }

    /// Two classes at opposite corners: no plane parts them, a hidden layer does.
    #[test]
    fn a_network_parts_what_no_plane_does() {
        let corner = |i: usize| [(i & 1) as f32, (i >> 1 & 1) as f32].map(|v| 2.0 * v - 1.0);
        let tokens: Vec<f32> = (0..40)
            .flat_map(|i| corner(i).map(|v| v + 0.1 * ((i * 7 % 11) as f32 / 11.0 - 0.5)))
            .collect();
        let class = |i: usize| (i ^ i >> 1) & 1;
        let examples: Vec<Example> = (0..8).map(|i| (i, class(i))).collect();
        let right = |taught: &Classifier| {
            let logits = taught.logits(&tokens).unwrap();
            (0..40).filter(|i| usize::from(logits[40 + i] > logits[*i]) == class(*i)).count()
        };
        let network = fit_network(&tokens, &over(&tokens, 2), 2, &examples).unwrap();
        assert_eq!(right(&network), 40);
        assert!(right(&fit(&tokens, &over(&tokens, 2), 2, &examples).unwrap()) < 35);
        assert_eq!(network, fit_network(&tokens, &over(&tokens, 2), 2, &examples).unwrap());
        for nothing in [&[][..], &[(3, 0)], &[(3, 0), (5, 0)]] {
            assert!(fit_network(&tokens, &over(&tokens, 2), 2, nothing).is_err());
        }
        assert!(
            fit_network(
                &[1.0, 2.0, 1.0, 2.0],
                &over(&[1.0, 2.0, 1.0, 2.0], 2),
                2,
                &[(0, 0), (1, 1)]
            )
            .is_err()
        );
        let (tokens, c) = clouds();
        let logits =
            fit_network(&tokens, &over(&tokens, c), 3, &[(3, 0), (25, 2)]).unwrap().logits(&tokens);
        let logits = logits.unwrap();
        assert!((0..40).all(|i| logits[40 + i] < logits[i].min(logits[80 + i])));
        assert!((0..40).all(|i| (logits[i] > logits[80 + i]) == (i < 20)));
    }

    #[test]
    fn a_class_without_examples_is_never_the_answer() {
        let (tokens, c) = clouds();
        let logits = fit(&tokens, &over(&tokens, c), 3, &[(3, 0), (25, 2)])
            .unwrap()
            .logits(&tokens)
            .unwrap();
        assert!((0..40).all(|i| logits[40 + i] < logits[i].min(logits[80 + i])));
    }

    #[test]
    fn what_teaches_nothing_is_refused() {
        let (tokens, c) = clouds();
        let refused = |examples: &[Example]| {
            fit(&tokens, &over(&tokens, c), 2, examples).unwrap_err().to_string()
        };
        assert!(refused(&[(3, 0), (7, 1), (3, 1)]).contains("token 3 is an example of class 0"));
        for nothing in [&[][..], &[(3, 0)]] {
            assert!(fit(&tokens, &over(&tokens, c), 1, nothing).is_err());
        }
        assert!(refused(&[]).contains("nothing tells the classes apart"));
        // Tokens that are alike, though they are two.
        let same = [1.0, 2.0, 1.0, 2.0];
        let error = fit(&same, &over(&same, 2), 2, &[(0, 0), (1, 1)]).unwrap_err().to_string();
        assert!(error.contains("nothing tells the classes apart"), "{error}");
        // The same patch twice in one class is no conflict.
        assert!(fit(&tokens, &over(&tokens, c), 2, &[(3, 0), (3, 0), (25, 1)]).is_ok());
    }

    /// At the optimum the gradient vanishes: for two balanced examples x and -x the weights are
    /// ±a·x with a·DECAY = 1 - sigmoid(2a|x|²).
    #[test]
    fn the_fit_is_the_optimum() {
        let tokens = [1.0, -1.0];
        let taught = fit(&tokens, &over(&tokens, 1), 2, &[(0, 0), (1, 1)]).unwrap();
        let x = 1.0 / (1.0f32 + EPS).sqrt();
        let a = taught.weight[0] / x;
        let rest = 1.0 - 1.0 / (1.0 + (-2.0 * a * x * x).exp());
        assert!((a * DECAY - rest).abs() < 2e-4, "{a} {rest}");
        assert!(taught.bias.iter().all(|b| b.abs() < 1e-4));
    }
}

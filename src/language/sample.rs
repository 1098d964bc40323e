//! The choice of the next token from its logits.

use crate::plan::Top;

/// How the next token is chosen: the likeliest, unless a temperature is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// What logits are divided by; 0 takes the likeliest token.
    pub temperature: f64,
    /// So many of the likeliest tokens alone, with all that are as likely as the last of them; 0 for all.
    pub top_k: usize,
    /// The likeliest tokens alone whose probabilities make this together; 1 for all.
    pub top_p: f64,
    /// Tokens alone that have at least this part of the likeliest one's probability; 0 for all.
    pub min_p: f64,
    /// What logits above 0 of tokens that were there before are divided by, and those below 0 multiplied.
    pub repetition_penalty: f64,
    /// The same seed chooses the same tokens.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            seed: 0,
        }
    }
}

impl Sampling {
    /// The probability of every token; `previous` are those before it. A temperature of 0 counts as 1.
    pub fn probabilities(&self, logits: &[f32], previous: &[u32]) -> Vec<f64> {
        let mut scores: Vec<f64> = logits.iter().map(|logit| f64::from(*logit)).collect();
        self.penalise(&mut scores, previous);
        let temperature = if self.temperature > 0.0 { self.temperature } else { 1.0 };
        scores.iter_mut().for_each(|score| *score /= temperature);
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let mut shares = softmax(&scores);
        if let Some(last) = self.top_k.checked_sub(1).and_then(|k| order.get(k)) {
            let least = scores[*last];
            shares = keep(&mut scores, &|_, score| score >= least);
        }
        if self.top_p < 1.0 {
            // The less likely ones are taken away from the smallest up; the likeliest stays.
            let (mut below, mut kept) = (0.0, vec![true; order.len()]);
            for token in order.iter().skip(1).rev() {
                below += shares[*token];
                kept[*token] = below > 1.0 - self.top_p;
            }
            shares = keep(&mut scores, &|token, _| kept[token]);
        }
        if self.min_p > 0.0 {
            let most = order.first().map_or(0.0, |token| shares[*token]);
            let enough: Vec<bool> =
                shares.iter().map(|share| *share >= self.min_p * most).collect();
            shares = keep(&mut scores, &|token, _| enough[token]);
        }
        shares
    }

    fn penalise(&self, scores: &mut [f64], previous: &[u32]) {
        if self.repetition_penalty == 1.0 {
            return;
        }
        let mut seen = vec![false; scores.len()];
        previous.iter().for_each(|token| seen[*token as usize] = true);
        for (score, _) in scores.iter_mut().zip(seen).filter(|(_, seen)| *seen) {
            let penalty = self.repetition_penalty;
            *score = if *score > 0.0 { *score / penalty } else { *score * penalty };
        }
    }

    /// How many of the largest logits are enough to choose by: where all count, none is.
    pub fn candidates(&self) -> Option<usize> {
        match (self.temperature == 0.0, self.top_k) {
            _ if self.repetition_penalty != 1.0 => None,
            (true, _) => Some(1),
            // One more tells whether others are as likely as the last.
            (false, top) => (1..Top::MOST).contains(&top).then_some(top + 1),
        }
    }

    /// As [`Sampling::choose`] by the largest logits alone, as many as [`Sampling::candidates`] says, with their tokens;
    /// `place` is the number of tokens before. `None` where others may be as likely as the last of them.
    pub fn choose_among(&self, best: &[(u32, f32)], place: usize) -> Option<u32> {
        if self.temperature == 0.0 {
            return best.first().map(|(id, _)| *id);
        }
        if best.is_empty() {
            return None;
        }
        let (beyond, least) = (best.get(self.top_k), best.get(self.top_k.checked_sub(1)?));
        if let (Some((_, beyond)), Some((_, least))) = (beyond, least)
            && beyond == least
        {
            return None;
        }
        let mut list = best[..self.top_k.min(best.len())].to_vec();
        list.sort_by_key(|(id, _)| *id);
        let logits: Vec<f32> = list.iter().map(|(_, logit)| *logit).collect();
        Some(list[self.draw(&self.probabilities(&logits, &[]), place)].0)
    }

    /// The next token; `previous` are all before it.
    pub fn choose(&self, logits: &[f32], previous: &[u32]) -> u32 {
        if self.temperature == 0.0 {
            let mut scores: Vec<f64> = logits.iter().map(|logit| f64::from(*logit)).collect();
            self.penalise(&mut scores, previous);
            // Of equally likely ones the first.
            let best = |best: usize, at: usize| if scores[at] > scores[best] { at } else { best };
            return (0..scores.len()).fold(0, best) as u32;
        }
        self.draw(&self.probabilities(logits, previous), previous.len()) as u32
    }

    /// One of some by their probabilities, for the choice behind `place` others.
    fn draw(&self, shares: &[f64], place: usize) -> usize {
        let mut left = unit(self.seed, place as u64);
        let last = shares.iter().rposition(|share| *share > 0.0).unwrap_or(0);
        let chosen = shares.iter().position(|share| {
            left -= share;
            left < 0.0
        });
        chosen.unwrap_or(last)
    }
}

/// Probabilities of those tokens alone that `kept` takes, told their number and score.
fn keep(scores: &mut [f64], kept: &dyn Fn(usize, f64) -> bool) -> Vec<f64> {
    for (token, score) in scores.iter_mut().enumerate() {
        if !kept(token, *score) {
            *score = f64::NEG_INFINITY;
        }
    }
    softmax(scores)
}

fn softmax(scores: &[f64]) -> Vec<f64> {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// A number from 0 to 1 for the `step`th choice: SplitMix64.
fn unit(seed: u64, step: u64) -> f64 {
    let mut z = seed.wrapping_add(step.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

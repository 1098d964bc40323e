//! Twin of `shaders/attention_direct.wgsl`, `attention_subgroup.wgsl`, `attention_tiled.wgsl` and
//! `attention_matrix.wgsl`.

use crate::math::{dot, softmax};

/// What attention computes.
#[derive(Clone, Copy, Debug)]
pub struct Scores<'a> {
    /// Pictures.
    pub batch: usize,
    /// Groups of a picture.
    pub groups: usize,
    /// Queries of a group.
    pub queries: usize,
    /// Keys of a group.
    pub keys: usize,
    /// Channels of all heads.
    pub c: usize,
    /// Heads; head h has channels `h·d .. (h+1)·d`.
    pub heads: usize,
    /// A table `[entries, heads]` and an index `[groups·queries, keys]` of each picture, or of all where the
    /// last says so: what is added to scores.
    pub bias: Option<(&'a [f32], &'a [f32], bool)>,
}

impl Scores<'_> {
    /// Every token of `batch` pictures over all of its picture.
    pub fn plain([batch, tokens, c]: [usize; 3], heads: usize) -> Self {
        Self { batch, groups: 1, queries: tokens, keys: tokens, c, heads, bias: None }
    }

    /// Adds the summands to the scores of query `query` of group `group`, counted through all pictures.
    pub fn add_bias(&self, head: usize, [group, query]: [usize; 2], scores: &mut [f32]) {
        let Some((table, index, shared)) = self.bias else { return };
        let group = if shared { group % self.groups } else { group };
        let entries = &index[(group * self.queries + query) * self.keys..][..self.keys];
        for (score, entry) in scores.iter_mut().zip(entries) {
            *score += table[*entry as usize * self.heads + head];
        }
    }
}

/// `softmax(q·kᵀ / √d + bias) · v` for every picture, group, head and query.
///
/// `q` and `y` are `[batch·groups·queries, C]`, `k` and `v` `[batch·groups·keys, C]`.
pub fn attention([q, k, v]: [&[f32]; 3], of: &Scores<'_>, y: &mut [f32]) {
    let (c, d) = (of.c, of.c / of.heads);
    let scale = 1.0 / (d as f32).sqrt();
    let mut scores = vec![0.0f32; of.keys];
    for group in 0..of.batch * of.groups {
        for head in 0..of.heads {
            let row = |rows: usize, at: usize| (group * rows + at) * c + head * d;
            for query in 0..of.queries {
                let at = row(of.queries, query);
                for (key, score) in scores.iter_mut().enumerate() {
                    *score = scale * dot(&q[at..][..d], &k[row(of.keys, key)..][..d]);
                }
                of.add_bias(head, [group, query], &mut scores);
                softmax(&mut scores);
                let out = &mut y[at..][..d];
                out.fill(0.0);
                for (key, weight) in scores.iter().enumerate() {
                    for (o, v) in out.iter_mut().zip(&v[row(of.keys, key)..][..d]) {
                        *o += weight * v;
                    }
                }
            }
        }
    }
}

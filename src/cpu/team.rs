//! Several instances of this crate that share one computation, where threads share no memory: each
//! member keeps its part of every large matrix, and the first, the engine, runs the plan.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};

use futures_channel::{mpsc, oneshot};

use super::fused_pair::PairShare;
use super::weights::load_parts;
use crate::plan::Plan;
use crate::weights::WeightSource;
use crate::{Error, Result};

/// Which member of a team one is; member 0 is the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Below `members`.
    pub member: usize,
    /// At least 1.
    pub members: usize,
}

/// Parts of columns are multiples of this, the width of the product's panels where there are teams.
const PANEL: usize = 8;

/// A member's part of a product has at least this many columns; fewer are not worth the way.
const LEAST: usize = 32;

impl Share {
    /// Everything.
    pub const ALONE: Self = Self { member: 0, members: 1 };

    /// This member's part of `columns`; the engine's is never empty.
    pub(super) fn columns(self, columns: usize) -> Range<usize> {
        let (panels, members) = (columns.div_ceil(PANEL), self.members.min(columns / LEAST).max(1));
        let edge = |member: usize| (panels * member.min(members) / members * PANEL).min(columns);
        edge(self.member)..edge(self.member + 1)
    }

    /// The heads, of `heads`, of which some queries are this member's: where they do not divide,
    /// two members share one.
    pub(super) fn heads(self, heads: usize) -> Range<usize> {
        let Self { member, members } = self;
        heads * member / members..(heads * (member + 1)).div_ceil(members)
    }

    /// This member's part of the `tokens` queries of a head.
    pub(super) fn queries(self, heads: usize, head: usize, tokens: usize) -> Range<usize> {
        let Self { member, members } = self;
        let edge = |at: usize| at.saturating_sub(head * members).min(members) * tokens / members;
        edge(heads * member)..edge(heads * (member + 1))
    }
}

/// What the engine asks a helper for: of two products of a block, and what lies between, its part.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The name of the first product's matrix.
    pub weight: String,
    /// `[batch·tokens, in]`.
    pub x: Vec<f32>,
    /// Batch and tokens. The answer is `[batch·tokens, out]`, to be summed with the others'; none
    /// for the first product alone, whose columns are the answer: `[planes, rows, columns]`.
    pub through: Option<[usize; 2]>,
}

/// A task on its way.
#[derive(Debug)]
pub struct Job {
    /// The member that is asked: 1 or more.
    pub helper: usize,
    /// What for.
    pub task: Task,
    /// Where the answer is awaited.
    pub answer: oneshot::Sender<Result<Vec<f32>>>,
}

/// The engine's side: how many there are, and the way to the others.
pub struct Team {
    members: usize,
    jobs: mpsc::UnboundedSender<Job>,
}

/// The other end: jobs to be carried to the helpers.
pub type Jobs = mpsc::UnboundedReceiver<Job>;

impl Team {
    /// A team of `members`, the engine among them, and the jobs that it will give.
    pub fn new(members: usize) -> (Self, Jobs) {
        let (jobs, receiver) = mpsc::unbounded();
        (Self { members, jobs }, receiver)
    }

    pub(super) fn share(&self) -> Share {
        Share { member: 0, members: self.members }
    }

    /// The shares of the others.
    pub(super) fn helpers(&self) -> impl Iterator<Item = Share> {
        let members = self.members;
        (1..members).map(move |member| Share { member, members })
    }

    /// Hands a task over; the answer is awaited later.
    pub(super) fn ask(&self, helper: usize, task: Task) -> Answer {
        let (answer, receiver) = oneshot::channel();
        // Where no thread takes jobs any more, the answer's channel tells it.
        let _ = self.jobs.unbounded_send(Job { helper, task, answer });
        Answer(receiver)
    }
}

/// An answer that may not have come yet.
pub(super) struct Answer(oneshot::Receiver<Result<Vec<f32>>>);

impl Answer {
    /// Waits for `len` values.
    pub(super) async fn values(self, len: usize) -> Result<Vec<f32>> {
        let gone = || Error::device("a helper has stopped: load the model again");
        let values = self.0.await.map_err(|_| gone())??;
        match values.len() == len {
            true => Ok(values),
            false => {
                let found = values.len();
                Err(Error::device(format!("a helper gave {found} values, expected {len}")))
            }
        }
    }
}

/// Lets the thread that carries jobs run before this member is busy with a part of its own.
pub(super) async fn give_way() {
    let mut given = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut given, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

/// A member that keeps weights and does what it is asked.
pub struct Helper {
    parts: HashMap<String, PairShare>,
}

impl Helper {
    /// Reads a member's part of what `plans` use.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Checkpoint`] where tensors cannot be read.
    pub async fn load<'a>(
        plans: &[Plan],
        source: impl Into<WeightSource<'a>>,
        share: Share,
    ) -> Result<Self> {
        let mut go_on = async |_: &_| ControlFlow::Continue(());
        Ok(Self { parts: load_parts(plans, source.into(), share, &mut go_on).await? })
    }

    /// Bytes of its matrices.
    pub fn bytes(&self) -> u64 {
        self.parts.values().map(PairShare::bytes).sum()
    }

    /// Does a task.
    ///
    /// # Errors
    /// [`Error::Device`] where the weight is not known, or of another width.
    pub fn answer(&self, task: &Task) -> Result<Vec<f32>> {
        let unknown = || Error::device(format!("{}: not a helper's", task.weight));
        let part = self.parts.get(&task.weight).ok_or_else(unknown)?;
        match task.through {
            Some(size) => part.through(&task.x, size),
            None => part.begin(&task.x),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_everything_once() {
        for (count, members) in [(192, 2), (100, 3), (12, 4), (33, 2), (4096, 8), (1, 3)] {
            let mut next = 0;
            for member in 0..members {
                let part = Share { member, members }.columns(count);
                assert_eq!(part.start, next, "{count} columns, member {member} of {members}");
                assert!(part.start.is_multiple_of(PANEL) || part.is_empty());
                assert!(member > 0 || !part.is_empty());
                next = part.end;
            }
            assert_eq!(next, count);
        }
        assert_eq!(Share { member: 1, members: 2 }.columns(63), 63..63);
    }

    #[test]
    fn queries_are_shared_evenly() {
        for (heads, members, tokens) in
            [(3, 2, 257), (16, 4, 10), (25, 8, 1025), (1, 3, 7), (2, 3, 1)]
        {
            let mut next = vec![0; heads];
            for member in 0..members {
                let share = Share { member, members };
                let parts: Vec<_> =
                    (0..heads).map(|head| share.queries(heads, head, tokens)).collect();
                for (head, part) in parts.iter().enumerate() {
                    assert!(
                        part.is_empty() || share.heads(heads).contains(&head),
                        "{share:?}: {parts:?}"
                    );
                    assert!(part.is_empty() || part.start == next[head], "{share:?}: {parts:?}");
                    next[head] = next[head].max(part.end);
                }
                let all: usize = parts.iter().map(Range::len).sum();
                assert!(all.abs_diff(heads * tokens / members) <= 2, "{share:?}: {parts:?}");
            }
            assert_eq!(next, vec![tokens; heads]);
        }
    }
}

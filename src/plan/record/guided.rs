//! Upsampling along the edges of a photograph, recorded: it reads like the paper it comes from (He, Sun
//! 2015, "Fast guided filter").

use super::Recorder;
use crate::plan::{
    Axis, BoxMean, LocalAffine, Map, Op, Outer, Plan, Resize, Ridge, Role, Slot, SlotId,
};

/// How a map is upsampled along a guide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guided {
    /// Rows and columns of the map.
    pub grid: [usize; 2],
    /// Height and width at which the statistics are taken.
    pub small: [usize; 2],
    /// Height and width of the guide, and of what comes out.
    pub size: [usize; 2],
    /// Half the side of a window, in pixels of the statistics.
    pub radius: usize,
    /// Added to the variances of the guide.
    pub eps: f32,
}

/// Pixels of the statistics to each row and column of a map, and half the side of a window.
const FINE: usize = 4;
/// Pixels of the statistics at most, as far as that leaves one to each value of the map.
const MOST: usize = 1 << 16;
/// Colours that vary less within a window are no edge: a deviation of 8 levels of 255.
const EPS: f32 = 1e-3;

impl Guided {
    /// Of a map of `grid` rows and columns along a photograph of height and width `size`.
    pub fn new(grid: [usize; 2], size: [usize; 2]) -> Self {
        let fits = |fine: &usize| grid[0] * grid[1] * fine * fine <= MOST;
        let fine = (1..=FINE).rev().find(fits).unwrap_or(1);
        let small = std::array::from_fn(|axis| (grid[axis] * fine).min(size[axis]).max(1));
        Self { grid, small, size, radius: fine.max(2), eps: EPS }
    }
}

/// Records guided upsampling of a map of `channels`, rounded up to a multiple of 4. Inputs: `map`
/// `[grid, C]`, `guide.small` `[small, 4]` and `guide` `[size, 4]`: red, green, blue from 0 to 1, and 1.
/// The output is called `pixels`, `[size, C]`.
pub fn record_guided(guided: &Guided, channels: usize) -> Plan {
    let Guided { grid, small, size, radius, eps } = *guided;
    let c = channels.next_multiple_of(4);
    let mut plan = Plan::new(1);
    let mut input = |name: &str, [height, width]: [usize; 2], c: usize| {
        plan.add(Slot::new(name, [1, height * width, c], Role::Input))
    };
    let (map, low, guide) =
        (input("map", grid, c), input("guide.small", small, 4), input("guide", size, 4));
    let mut r = Statistics { r: Recorder::new(plan, "", ""), small, radius };
    let x = Map { slot: map, size: grid };
    let x = r.push("map.small", c, Op::Resize(Resize { x, to: small, add: None }));
    let moments = r.outer("moments", low, low);
    let moments = r.mean("moments", moments);
    let x = r.outer("products", x, low);
    let x = r.mean("products", x);
    let x = r.push("coefficients", 4 * c, Op::Ridge(Ridge { moments, x, eps }));
    let x = Map { slot: r.mean("coefficients", x), size: small };
    let op = Op::LocalAffine(LocalAffine { x, guide, to: size });
    let pixels = r.r.push("pixels", [size[0] * size[1], c], op);
    let mut plan = r.r.plan;
    plan.output("pixels", pixels);
    plan
}

/// Records what is computed at the size of the statistics.
struct Statistics {
    r: Recorder,
    small: [usize; 2],
    radius: usize,
}

impl Statistics {
    fn push(&mut self, name: &str, cols: usize, op: Op) -> SlotId {
        self.r.push(name, [self.small[0] * self.small[1], cols], op)
    }

    fn outer(&mut self, name: &str, x: SlotId, guide: SlotId) -> SlotId {
        let cols = 4 * self.r.cols(x);
        self.push(name, cols, Op::Outer(Outer { x, guide }))
    }

    /// The mean over a square window.
    fn mean(&mut self, name: &str, x: SlotId) -> SlotId {
        let (cols, radius, size) = (self.r.cols(x), self.radius, self.small);
        let down = BoxMean { x: Map { slot: x, size }, radius, axis: Axis::Down };
        let x = self.push(&format!("{name}.down"), cols, Op::BoxMean(down));
        let across = BoxMean { x: Map { slot: x, size }, radius, axis: Axis::Across };
        self.push(&format!("{name}.mean"), cols, Op::BoxMean(across))
    }
}

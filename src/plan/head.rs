//! Segmentation heads, recorded: they read like the papers they come from. Maps are
//! `[height·width, channels]`.

use super::op::*;
use crate::model::{HeadKind, HeadSpec, NormKind, POOL_SCALES, Spec};

/// A map in a plan.
#[derive(Clone, Copy, Debug)]
pub struct Map {
    /// Where it is.
    pub slot: SlotId,
    /// Height and width.
    pub size: [usize; 2],
}

/// Records `head` on `levels` (each `[height·width, C]`, one for each of its `out_indices`) and
/// returns its logits, an output called `logits` of `classes` columns, classes rounded up to a
/// multiple of 4. `d` are the decoder's channels.
pub fn record_head(plan: &mut Plan, head: &HeadSpec, d: usize, levels: &[Map]) -> Map {
    let mut r = HeadRecorder { plan, d };
    let last = match head.kind {
        HeadKind::Linear => r.side_by_side(levels),
        HeadKind::Uper => {
            let pyramid = r.fpn(levels);
            r.uper(pyramid)
        }
    };
    let logits = r.linear(last, "conv_seg", head.classes.next_multiple_of(4), false, Finish::Store);
    let slot = &mut r.plan.slots[logits.slot];
    slot.name = "logits".into();
    slot.role = Role::Output;
    logits
}

/// Records `head` alone, of `d` channels, for one picture of `grid` patches. Inputs: `level.{i}`
/// `[rows·cols, C]` for each of its `out_indices` in turn.
pub fn record_head_alone(spec: &Spec, head: &HeadSpec, d: usize, grid: [usize; 2]) -> Plan {
    let (rows, cols) = (grid[0] * grid[1], spec.sizes.hidden);
    let mut plan = Plan { batch: 1, tokens: rows, slots: Vec::new(), steps: Vec::new() };
    let mut level = |i: &usize| Map {
        slot: plan.add(&format!("level.{i}"), rows, cols, Role::Input),
        size: grid,
    };
    let levels: Vec<Map> = head.out_indices.iter().map(&mut level).collect();
    record_head(&mut plan, head, d, &levels);
    plan
}

struct HeadRecorder<'a> {
    plan: &'a mut Plan,
    d: usize,
}

impl HeadRecorder<'_> {
    /// One map of all levels' channels.
    fn side_by_side(&mut self, levels: &[Map]) -> Map {
        let [first, _, ..] = levels else { return levels[0] };
        let c = self.cols(*first);
        let wide = self.slot("head.levels", first.size, c * levels.len());
        for (i, level) in levels.iter().enumerate() {
            self.resize(*level, wide, i * c, false);
        }
        wide
    }

    /// Levels at 4, 2, 1 and ½ times the patch grid's resolution.
    fn fpn(&mut self, levels: &[Map]) -> [Map; 4] {
        let a = self.transposed(levels[0], "up1.0");
        let a = self.norm_gelu(a, "up1.1");
        let a = self.transposed(a, "up1.3");
        let b = self.transposed(levels[1], "up2.0");
        let [h, w] = levels[3].size;
        let c = self.pool(levels[3], "up4", [h / 2, w / 2], true);
        [a, b, levels[2], c]
    }

    /// Pyramid pooling on the deepest level, laterals, the way down, and their fusion.
    fn uper(&mut self, levels: [Map; 4]) -> Map {
        let d = self.d;
        let deepest = self.pyramid_pooling(levels[3]);
        let mut laterals = Vec::new();
        for (i, level) in levels[..3].iter().enumerate() {
            laterals.push(self.linear(
                *level,
                &format!("lateral_convs.{i}"),
                d,
                false,
                Finish::Relu,
            ));
        }
        laterals.push(deepest);
        for i in (0..3).rev() {
            self.resize(laterals[i + 1], laterals[i], 0, true);
        }
        let wide = self.slot("head.fusion", laterals[0].size, 4 * d);
        for (i, lateral) in laterals.into_iter().enumerate() {
            let out = match i {
                3 => lateral,
                _ => self.linear(lateral, &format!("fpn_convs.{i}"), d, true, Finish::Relu),
            };
            self.resize(out, wide, i * d, false);
        }
        self.linear(wide, "fpn_bottleneck", d, true, Finish::Relu)
    }

    fn pyramid_pooling(&mut self, x: Map) -> Map {
        let (c, d) = (self.cols(x), self.d);
        let wide = self.slot("head.pyramid", x.size, c + 4 * d);
        self.resize(x, wide, 0, false);
        for (i, scale) in POOL_SCALES.into_iter().enumerate() {
            let name = format!("psp_modules.{i}.1");
            let pooled = self.pool(x, &format!("psp_modules.{i}.0"), [scale, scale], false);
            let pooled = self.linear(pooled, &name, d, false, Finish::Relu);
            self.resize(pooled, wide, c + i * d, false);
        }
        self.linear(wide, "bottleneck", d, true, Finish::Relu)
    }

    /// A 1 × 1 convolution, or a 3 × 3 one with zero padding; BatchNorm is folded into both.
    fn linear(&mut self, x: Map, name: &str, cols: usize, window: bool, finish: Finish) -> Map {
        let y = self.slot(&format!("head.{name}"), x.size, cols);
        self.plan.push(Op::Linear {
            x: x.slot,
            y: y.slot,
            weight: format!("head.{name}.weight"),
            bias: Some(format!("head.{name}.bias")),
            window: window.then_some(x.size),
            finish,
        });
        y
    }

    /// A transposed convolution with kernel 2 and stride 2: four products, interleaved.
    fn transposed(&mut self, x: Map, name: &str) -> Map {
        let c = self.cols(x);
        let planes = self.linear(x, name, c, false, Finish::Store);
        self.plan.slots[planes.slot].planes = 4;
        self.plan.slots[planes.slot].name = format!("head.{name}.planes");
        let y = self.slot(&format!("head.{name}"), [2 * x.size[0], 2 * x.size[1]], c);
        self.plan.push(Op::Interleave { x: planes.slot, y: y.slot, from: x.size });
        y
    }

    /// LayerNorm over channels, then GELU.
    fn norm_gelu(&mut self, x: Map, name: &str) -> Map {
        let y = self.slot(&format!("head.{name}"), x.size, self.cols(x));
        self.plan.push(Op::Norm {
            x: x.slot,
            y: y.slot,
            plane: 0,
            weight: format!("head.{name}.weight"),
            bias: Some(format!("head.{name}.bias")),
            kind: NormKind::Layer,
            eps: 1e-6,
            gelu: true,
        });
        y
    }

    fn pool(&mut self, x: Map, name: &str, to: [usize; 2], max: bool) -> Map {
        let y = self.slot(&format!("head.{name}"), to, self.cols(x));
        self.plan.push(Op::Pool { x: x.slot, y: y.slot, from: x.size, to, max });
        y
    }

    fn resize(&mut self, x: Map, y: Map, column: usize, add: bool) {
        let (from, to) = (x.size, y.size);
        self.plan.push(Op::Resize { x: x.slot, y: y.slot, from, to, column, add });
    }

    fn cols(&self, map: Map) -> usize {
        self.plan.slots[map.slot].cols
    }

    fn slot(&mut self, name: &str, size: [usize; 2], cols: usize) -> Map {
        let slot = self.plan.add(name, size[0] * size[1], cols, Role::Temporary);
        Map { slot, size }
    }
}

//! Segmentation heads, recorded: they read like the papers they come from.

use super::Recorder;
use crate::model::{HeadKind, HeadSpec, NormKind, POOL_SCALES, Spec};
use crate::plan::{
    Activation, Concat, Interleave, Map, Norm, Op, Plan, Pool, PoolKind, Resize, Role, Slot,
};

/// Records `head` on `levels` (each `[height·width, C]`, one for each of its `out_indices`) and
/// returns its logits, an output called `logits` of `classes` columns, classes rounded up to a
/// multiple of 4. `d` are the decoder's channels.
pub fn record_head(plan: &mut Plan, head: &HeadSpec, d: usize, levels: &[Map]) -> Map {
    let r = Recorder::new(std::mem::take(plan), "head.", "head.");
    let mut r = HeadRecorder { r, d };
    let last = match head.kind {
        HeadKind::Linear => r.side_by_side(levels),
        HeadKind::Uper => {
            let pyramid = r.fpn(levels);
            r.uper(pyramid)
        }
    };
    let classes = head.classes.next_multiple_of(4);
    let slot = r.r.linear(last.slot, "conv_seg", classes).biased("conv_seg");
    *plan = r.r.plan;
    plan.output("logits", slot);
    Map { slot, size: last.size }
}

/// Records `head` alone, of `d` channels, for one picture of `grid` patches. Inputs: `level.{i}`
/// `[rows·cols, C]` for each of its `out_indices` in turn.
pub fn record_head_alone(spec: &Spec, head: &HeadSpec, d: usize, grid: [usize; 2]) -> Plan {
    let shape = [1, grid[0] * grid[1], spec.sizes.hidden];
    let mut plan = Plan::new(1);
    let mut level = |i: &usize| Map {
        slot: plan.add(Slot::new(&format!("level.{i}"), shape, Role::Input)),
        size: grid,
    };
    let levels: Vec<Map> = head.out_indices.iter().map(&mut level).collect();
    record_head(&mut plan, head, d, &levels);
    plan
}

struct HeadRecorder {
    r: Recorder,
    d: usize,
}

impl HeadRecorder {
    /// One map of all levels' channels.
    fn side_by_side(&mut self, levels: &[Map]) -> Map {
        match levels {
            [only] => *only,
            levels => self.concat("levels", levels.to_vec()),
        }
    }

    /// Levels at 4, 2, 1 and ½ times the patch grid's resolution.
    fn fpn(&mut self, levels: &[Map]) -> [Map; 4] {
        let a = self.transposed(levels[0], "up1.0");
        let a = self.norm_gelu(a, "up1.1");
        let a = self.transposed(a, "up1.3");
        let b = self.transposed(levels[1], "up2.0");
        let [h, w] = levels[3].size;
        let c = self.pool(levels[3], "up4", [h / 2, w / 2], PoolKind::Max);
        [a, b, levels[2], c]
    }

    /// Pyramid pooling on the deepest level, laterals, the way down, and their fusion.
    fn uper(&mut self, levels: [Map; 4]) -> Map {
        let [a, b, c, deepest] = levels;
        let d = self.pyramid_pooling(deepest);
        let c = self.lateral(c, 2, d);
        let b = self.lateral(b, 1, c);
        let a = self.lateral(a, 0, b);
        let mut smooth = |x, i| self.window(x, &format!("fpn_convs.{i}"));
        let maps = vec![smooth(a, 0), smooth(b, 1), smooth(c, 2), d];
        let fusion = self.concat("fusion", maps);
        self.window(fusion, "fpn_bottleneck")
    }

    /// A level's lateral convolution, the level above it added.
    fn lateral(&mut self, level: Map, i: usize, above: Map) -> Map {
        let lateral = self.relu(level, &format!("lateral_convs.{i}"));
        let op = Op::Resize(Resize { x: above, to: lateral.size, add: Some(lateral.slot) });
        self.map(&format!("top_down.{i}"), lateral.size, self.d, op)
    }

    fn pyramid_pooling(&mut self, x: Map) -> Map {
        let mut maps = vec![x];
        for (i, scale) in POOL_SCALES.into_iter().enumerate() {
            let name = format!("psp_modules.{i}.0");
            let pooled = self.pool(x, &name, [scale, scale], PoolKind::Mean);
            maps.push(self.relu(pooled, &format!("psp_modules.{i}.1")));
        }
        let wide = self.concat("pyramid", maps);
        self.window(wide, "bottleneck")
    }

    /// A 1 × 1 convolution and ReLU; BatchNorm is folded into it.
    fn relu(&mut self, x: Map, name: &str) -> Map {
        let layer = self.r.linear(x.slot, name, self.d).activation(Activation::Relu);
        Map { slot: layer.biased(name), size: x.size }
    }

    /// A 3 × 3 convolution with zero padding and ReLU; BatchNorm is folded into it.
    fn window(&mut self, x: Map, name: &str) -> Map {
        let layer = self.r.linear(x.slot, name, self.d).windows(x.size);
        Map { slot: layer.activation(Activation::Relu).biased(name), size: x.size }
    }

    /// A transposed convolution with kernel 2 and stride 2: four products, interleaved.
    fn transposed(&mut self, x: Map, name: &str) -> Map {
        let c = self.r.cols(x.slot);
        let planes = self.r.linear(x.slot, name, c).planes(4).biased(&format!("{name}.planes"));
        let op = Op::Interleave(Interleave { x: planes, size: x.size });
        self.map(name, x.size.map(|side| 2 * side), c, op)
    }

    /// LayerNorm over channels, then GELU.
    fn norm_gelu(&mut self, x: Map, name: &str) -> Map {
        let norm = self.r.norm_of(self.r.cols(x.slot), name, NormKind::Layer, 1e-6);
        let op = Op::Norm(Norm { x: x.slot.into(), activation: Some(Activation::Erf), ..norm });
        self.map(name, x.size, self.r.cols(x.slot), op)
    }

    fn pool(&mut self, x: Map, name: &str, to: [usize; 2], kind: PoolKind) -> Map {
        self.map(name, to, self.r.cols(x.slot), Op::Pool(Pool { x, to, kind }))
    }

    /// Maps side by side, at the size of the first.
    fn concat(&mut self, name: &str, maps: Vec<Map>) -> Map {
        let to = maps[0].size;
        let cols = maps.iter().map(|map| self.r.cols(map.slot)).sum();
        self.map(name, to, cols, Op::Concat(Concat { maps, to }))
    }

    fn map(&mut self, name: &str, size: [usize; 2], cols: usize, op: Op) -> Map {
        Map { slot: self.r.push(name, [size[0] * size[1], cols], op), size }
    }
}

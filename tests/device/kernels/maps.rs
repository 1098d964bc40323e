//! Tokens and maps.

use internvit::plan::{Concat, Embed, Interleave, Map, Op, Pool, PoolKind, Resize, Role, Slice};

use super::case::Case;
use crate::common::*;

#[test]
fn embed_for_batches() {
    let Some(gpu) = gpu() else { return };
    for (c, patches, prefix, batch) in
        [(8, 1, 1, 1), (24, 6, 5, 3), (192, 20, 1, 2), (8, 7, 0, 2), (10, 4, 2, 2)]
    {
        let mut case = Case::new(batch);
        let shape = [1, prefix + patches, c];
        let patches = case.input([1, patches, c]);
        let rows = case.given(shape, Role::Shared);
        case.step(shape, Op::Embed(Embed { patches, rows }));
        case.check(&gpu);
    }
}

#[test]
fn maps_are_pooled_resized_and_interleaved() {
    let Some(gpu) = gpu() else { return };
    for ([h, w], to, c, batch) in [
        ([2, 2], [1, 1], 4, 1),
        ([5, 7], [3, 2], 12, 2),
        ([9, 6], [6, 6], 64, 1),
        ([4, 4], [8, 5], 8, 3),
    ] {
        let shape = |[h, w]: [usize; 2], c| [1, h * w, c];
        let size = [h, w];
        let check = |planes: usize, to, c_out, op: &dyn Fn(Map) -> Op| {
            let mut case = Case::new(batch);
            let slot = case.input([planes, h * w, c]);
            case.step(shape(to, c_out), op(Map { slot, size }));
            case.check(&gpu);
        };
        let mean = PoolKind::Mean;
        check(1, to, c, &|x| Op::Pool(Pool { x, to, kind: mean }));
        let half = [h / 2, w / 2];
        check(1, half, c, &|x| Op::Pool(Pool { x, to: half, kind: PoolKind::Max }));
        check(1, to, c, &|x| Op::Resize(Resize { x, to, add: None }));
        let twice = [2 * h, 2 * w];
        check(4, twice, c, &|x| Op::Interleave(Interleave { x: x.slot, size }));
        check(1, [1, h * w - 1], c, &|x| Op::Slice(Slice { x: x.slot, first: 1 }));

        let mut case = Case::new(batch);
        let [x, add] = [case.input(shape(size, c)), case.input(shape(to, c))];
        let resize = Resize { x: Map { slot: x, size }, to, add: Some(add) };
        case.step(shape(to, c), Op::Resize(resize));
        case.check(&gpu);

        let mut case = Case::new(batch);
        let [x, other] = [case.input(shape(size, c)), case.input(shape(to, 12))];
        let maps = vec![Map { slot: x, size }, Map { slot: other, size: to }];
        case.step(shape(to, c + 12), Op::Concat(Concat { maps, to }));
        case.check(&gpu);
    }
}

// Sum over a workgroup of SUM_LANES invocations in subgroups of LANES; every invocation gets it.
const SUM_LANES = 64u;
const LANES = 32u;

const PARTS = (SUM_LANES + LANES - 1u) / LANES;

var<workgroup> sums: array<f32, PARTS>;

fn workgroup_sum(lane: u32, value: f32) -> f32 {
    let own = subgroupAdd(value);
    workgroupBarrier(); // the last reader of an earlier sum is done
    if lane % LANES == 0u {
        sums[lane / LANES] = own;
    }
    workgroupBarrier();
    var sum = 0.0;
    for (var i = 0u; i < PARTS; i++) {
        sum += sums[i];
    }
    return sum;
}

// Sum over a workgroup of SUM_LANES invocations; every invocation gets it.
const SUM_LANES = 64u;

var<workgroup> sums: array<f32, SUM_LANES>;

fn workgroup_sum(lane: u32, value: f32) -> f32 {
    workgroupBarrier(); // the last reader of an earlier sum is done
    sums[lane] = value;
    for (var half = SUM_LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            sums[lane] += sums[lane + half];
        }
    }
    return workgroupUniformLoad(&sums[0]);
}

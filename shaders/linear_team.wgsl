// y = finish(x · Wᵀ), for GPUs with subgroups: neither workgroup memory nor barriers.
//
// A workgroup of 64 owns 64 rows × 64 outputs (one panel). A team of TEAM lanes of a subgroup has TEAM rows of them: each
// lane reads one of them and hears the others by shuffles, and sums every TEAM-th quad of outputs of all.
// Subgroups may have any sizes from TEAM up, also sizes that vary: whether teams are whole is looked at, and where they
// are not the result is no number.
// Holes: load_x(row, quad) in group 0, load_w4(panel, k, quad) and load_factor(panel, quad) in group 1,
// finish(plane, row, quad, sum) in group 2, and the types X and Y of what is read and written.
const K = 192u;    // inputs, a multiple of 4
const COLS = 192u; // outputs of one plane, a multiple of 4
const TEAM = 8u;   // lanes that share rows, 4 or 8

const PANELS = (COLS + 63u) / 64u; // of one plane
const FOURS = TEAM / 4u;           // of a team's rows
const_assert TEAM == 4u || TEAM == 8u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32,
        @builtin(subgroup_size) lanes: u32) {
    let slice = index % TEAM;
    let first = group.y * 64u + index / TEAM * TEAM;
    let own = min(first + slice, size.rows - 1u);
    // A column is a row of the team's: column r of s0 the row slice ^ r.
    var s0 = mat4x4f();
    var s1 = mat4x4f();
    var s2 = mat4x4f();
    var s3 = mat4x4f();
    for (var k = 0u; k < K / 4u; k++) {
        let x = load_x(own, k);
        let near = heard(x);
        let a = load_w4(group.x, k * 4u, slice);
        let b = load_w4(group.x, k * 4u, slice + TEAM);
        if TEAM == 8u {
            let far = heard(subgroupShuffleXor(x, 4u));
            s0 += a * near;
            s1 += a * far;
            s2 += b * near;
            s3 += b * far;
        } else {
            s0 += a * near;
            s1 += b * near;
            s2 += load_w4(group.x, k * 4u, slice + 8u) * near;
            s3 += load_w4(group.x, k * 4u, slice + 12u) * near;
        }
    }
    let none = zero_of_team(is_team(index, lanes));
    let panel = size.first_panel + group.x;
    let plane = panel / PANELS;
    // A loop over what is then kept in memory, since compilers take long for sixteen times what follows the sums.
    var sums = array(s0, s1, s2, s3);
    for (var i = 0u; i < 16u; i++) {
        let four = i / 4u;
        let row = first + (slice ^ (i % 4u + four % FOURS * 4u));
        let quad = slice + four / FOURS * TEAM;
        let whole = panel % PANELS * 16u + quad;
        if row < size.rows && whole < COLS / 4u {
            finish(plane, row, whole, sums[four][i % 4u] * load_factor(group.x, quad) + none);
        }
    }
}

// What the lane has and its three next neighbours have, a column each.
fn heard(x: vec4f) -> mat4x4f {
    return mat4x4f(x, subgroupShuffleXor(x, 1u), subgroupShuffleXor(x, 2u), subgroupShuffleXor(x, 3u));
}

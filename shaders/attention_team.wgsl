// softmax(q · kᵀ / √D) · v with an online softmax, for GPUs with subgroups: scores never leave registers.
//
// A workgroup of 16 teams owns 64 queries of one head of one group. A team of TEAM lanes of a subgroup has four of them:
// each lane their channels of every TEAM-th quad, of q and of the sums. Keys and values pass through 16 KiB of workgroup
// memory once; what a lane's channels give of a score its team adds by shuffles. Eight keys are taken at a time.
// Subgroups may have any sizes from TEAM up, also sizes that vary: whether teams are whole is looked at, and where they
// are not the result is no number.
// Holes: the types X and Y of what is read and written.
const D = 64u;      // channels of a head, a multiple of 4, at most 16 · TEAM
const HEADS = 3u;
const TEAM = 4u;    // lanes that share queries, a power of two
const TILE_K = 32u; // keys, a multiple of 8; TILE_K · D <= 2048

const D4 = D / 4u;
const ROW = HEADS * D4;
const LANES = 16u * TEAM;
const QUADS = (D4 + TEAM - 1u) / TEAM; // of a lane
const SCALE = 1.0 / sqrt(f32(D));
const LOWEST = vec4f(-3e38);
const_assert D % 4u == 0u && QUADS <= 4u && TILE_K % 8u == 0u && TILE_K * D <= 2048u;

@group(0) @binding(1) var<storage, read> q: array<X>;       // [groups · tokens, HEADS · D]
@group(0) @binding(2) var<storage, read> k: array<X>;       // [groups · tokens, HEADS · D]
@group(0) @binding(3) var<storage, read> v: array<X>;       // [groups · tokens, HEADS · D]
@group(0) @binding(4) var<storage, read_write> y: array<Y>; // [groups · tokens, HEADS · D]

var<workgroup> tile_k: array<vec4f, TILE_K * D4>;
var<workgroup> tile_v: array<vec4f, TILE_K * D4>;

struct Four { a: mat4x4f, b: mat4x4f, c: mat4x4f, d: mat4x4f } // of four queries, a matrix for each of a lane's quads

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32,
        @builtin(subgroup_size) lanes: u32) {
    let slice = index % TEAM;
    let start = group.z * size.tokens * ROW + group.y * D4; // the head's first quad in its group
    let last = size.tokens - 1u;
    let first = group.x * 64u + index / TEAM * 4u;
    let rows = start + min(vec4u(first) + vec4u(0u, 1u, 2u, 3u), vec4u(last)) * ROW;
    // A column is one channel of the four queries.
    let x = Four(queries(rows, slice), queries(rows, slice + TEAM), queries(rows, slice + 2u * TEAM),
        queries(rows, slice + 3u * TEAM));
    var sums = Four(); // a column is a query's quad
    var best = LOWEST;
    var total = vec4f();
    for (var begin = 0u; begin < size.tokens; begin += TILE_K) {
        workgroupBarrier(); // the tile before has been used
        for (var i = index; i < TILE_K * D4; i += LANES) {
            let at = start + min(begin + i / D4, last) * ROW + i % D4;
            tile_k[i] = from_x(k[at]);
            tile_v[i] = from_x(v[at]);
        }
        workgroupBarrier();
        for (var key = 0u; key < TILE_K; key += 8u) {
            let left = size.tokens - min(begin + key, size.tokens); // keys past the last one weigh nothing
            let s0 = select(LOWEST, score(x, key, slice), 0u < left);
            let s1 = select(LOWEST, score(x, key + 1u, slice), 1u < left);
            let s2 = select(LOWEST, score(x, key + 2u, slice), 2u < left);
            let s3 = select(LOWEST, score(x, key + 3u, slice), 3u < left);
            let s4 = select(LOWEST, score(x, key + 4u, slice), 4u < left);
            let s5 = select(LOWEST, score(x, key + 5u, slice), 5u < left);
            let s6 = select(LOWEST, score(x, key + 6u, slice), 6u < left);
            let s7 = select(LOWEST, score(x, key + 7u, slice), 7u < left);
            let highest = max(best, max(max(max(s0, s1), max(s2, s3)), max(max(s4, s5), max(s6, s7))));
            let rescale = exp(best - highest);
            best = highest;
            let low = mat4x4f(exp(s0 - best), exp(s1 - best), exp(s2 - best), exp(s3 - best));
            let high = mat4x4f(exp(s4 - best), exp(s5 - best), exp(s6 - best), exp(s7 - best));
            total = total * rescale + (low[0] + low[1] + low[2] + low[3]) + (high[0] + high[1] + high[2] + high[3]);
            sums.a = added(sums.a, rescale, low, high, key, slice);
            if QUADS > 1u { sums.b = added(sums.b, rescale, low, high, key, slice + TEAM); }
            if QUADS > 2u { sums.c = added(sums.c, rescale, low, high, key, slice + 2u * TEAM); }
            if QUADS > 3u { sums.d = added(sums.d, rescale, low, high, key, slice + 3u * TEAM); }
        }
    }
    let scale = 1.0 / total + zero_of_team(is_team(index, lanes));
    store(start, first, slice, sums.a, scale);
    if QUADS > 1u { store(start, first, slice + TEAM, sums.b, scale); }
    if QUADS > 2u { store(start, first, slice + 2u * TEAM, sums.c, scale); }
    if QUADS > 3u { store(start, first, slice + 3u * TEAM, sums.d, scale); }
}

// Four channels of four queries, a column a channel; zeros past the head's last.
fn queries(rows: vec4u, quad: u32) -> mat4x4f {
    if quad >= D4 {
        return mat4x4f();
    }
    return transpose(mat4x4f(from_x(q[rows.x + quad]), from_x(q[rows.y + quad]), from_x(q[rows.z + quad]),
        from_x(q[rows.w + quad]))) * SCALE;
}

// Of a team's four queries with a key of the tile.
fn score(x: Four, key: u32, slice: u32) -> vec4f {
    let at = key * D4;
    var s = x.a * tile_k[at + min(slice, D4 - 1u)];
    if QUADS > 1u { s += x.b * tile_k[at + min(slice + TEAM, D4 - 1u)]; }
    if QUADS > 2u { s += x.c * tile_k[at + min(slice + 2u * TEAM, D4 - 1u)]; }
    if QUADS > 3u { s += x.d * tile_k[at + min(slice + 3u * TEAM, D4 - 1u)]; }
    for (var step = 1u; step < TEAM; step *= 2u) {
        s += subgroupShuffleXor(s, step);
    }
    return s;
}

// A quad of the sums of four queries, with eight more keys' values by their weights.
fn added(sums: mat4x4f, rescale: vec4f, low: mat4x4f, high: mat4x4f, key: u32, quad: u32) -> mat4x4f {
    let at = key * D4 + min(quad, D4 - 1u);
    let a = mat4x4f(tile_v[at], tile_v[at + D4], tile_v[at + 2u * D4], tile_v[at + 3u * D4]);
    let b = mat4x4f(tile_v[at + 4u * D4], tile_v[at + 5u * D4], tile_v[at + 6u * D4], tile_v[at + 7u * D4]);
    let old = mat4x4f(sums[0] * rescale.x, sums[1] * rescale.y, sums[2] * rescale.z, sums[3] * rescale.w);
    return old + a * transpose(low) + b * transpose(high);
}

fn store(start: u32, first: u32, quad: u32, sums: mat4x4f, scale: vec4f) {
    if quad >= D4 {
        return;
    }
    for (var i = 0u; i < 4u && first + i < size.tokens; i++) {
        y[start + (first + i) * ROW + quad] = to_y(sums[i] * scale[i]);
    }
}

// Teams: TEAM neighbouring invocations of a workgroup, a power of two, that tell each other what they have by shuffles.

// Whether a team is within one subgroup, whatever size that has, and shuffles reach the neighbours that they should.
fn is_team(index: u32, lanes: u32) -> bool {
    var sound = lanes >= TEAM;
    for (var step = 1u; step < TEAM; step *= 2u) {
        sound = sound & (subgroupShuffleXor(index, step) == (index ^ step));
    }
    return sound;
}

// Zero for a team, else no number.
fn zero_of_team(sound: bool) -> f32 {
    return bitcast<f32>(select(0x7fc00000u, 0u, sound));
}

//! Which row is taken for a shape on a device.

use super::*;

/// Products run on matrix units where x and W are f16 and the tiles divide the inputs, by packed dot
/// products where W has 8 bits, and as matrix times vector where there are few rows.
#[test]
fn products_take_the_kernel_that_suits() {
    let file = |family, matrix, product: &Product| {
        let row = choose(LINEAR, &target(family, 32, matrix), product).unwrap();
        (row.file, row.needs.matrix)
    };
    let suits =
        Product { rows: 1025, k: 1024, cols: 4096, format: Format::F16, half: [true; 2], ..PLAIN };
    assert_eq!(file(Family::Matrix, 16, &suits), ("linear_matrix", 16));
    assert_eq!(file(Family::Matrix, 8, &suits), ("linear_matrix", 8));
    assert_eq!(file(Family::Matrix, 8, &Product { k: 584, ..suits }), ("linear_matrix", 8));
    let few = Product { format: Format::Quantized(QuantFormat::Int8), ..suits };
    assert_eq!(file(Family::Packed, 0, &few), ("linear_packed", 0));
    for other in [Product { k: 588, ..few }, Product { format: Format::F16, ..few }] {
        assert_eq!(file(Family::Packed, 0, &other), ("linear_tiled", 0));
    }
    for other in [
        Product { k: 588, ..suits },
        Product { gather: RowKind::Windows, ..suits },
        Product { format: Format::Bf16, ..suits },
        Product { half: [false, true], ..suits },
    ] {
        assert_eq!(file(Family::Matrix, 16, &other), ("linear_tiled", 0));
    }
    let plain = Product { rows: 257, k: 1024, cols: 1024, ..PLAIN };
    for (family, found) in [
        (Family::Wide, "linear_wide"),
        (Family::Tall, "linear_wide"),
        (Family::Split, "linear_wide"),
        (Family::Subgroups, "linear_team"),
    ] {
        assert_eq!(file(family, 0, &plain).0, found);
    }
    let row = |product: &Product| choose(LINEAR, &target(Family::Split, 0, 0), product).unwrap();
    let parts = |product: &Product| row(product).parts(product);
    assert_eq!([256, 384, 1024, 4096].map(|k| parts(&Product { k, ..plain })), [2, 3, 8, 8]);
    for whole in [Product { k: 252, ..plain }, Product { rows: 4100, ..plain }] {
        assert_eq!((row(&whole).file, parts(&whole)), ("linear_tiled", 1));
    }
    for family in Family::GPUS.iter().copied() {
        assert_eq!(file(family, 16, &Product { rows: 4, ..suits }), ("linear_vector", 0));
        assert_ne!(file(family, 16, &Product { rows: 5, ..suits }).0, "linear_vector");
    }
    let one = Product { rows: 1, ..suits };
    for family in Family::ALL.iter().copied() {
        assert_eq!(file(family, 16, &one), ("linear_one", 0));
    }
    let eight = target(Family::SoftwareSubgroups, 8, 0);
    assert_eq!(choose(LINEAR, &eight, &one).unwrap().file, "linear_one_subgroup");
    let odd = Product { k: 584, ..one };
    assert_eq!(choose(LINEAR, &eight, &odd).unwrap().file, "linear_one");
}

/// Attention runs on matrix units where q, k and v are f16 and the tiles divide a head and fit a
/// picture.
#[test]
fn attention_that_suits_runs_on_matrix_units() {
    let suits = Attention { heads: 16, half: [true, true], ..attention(80) };
    let row = |side, lanes, attention: &Attention| {
        let row = choose(ATTENTION, &target(Family::Matrix, lanes, side), attention).unwrap();
        (row.file, row.needs.matrix)
    };
    for (side, lanes) in [(16, 32), (8, 8), (8, 64)] {
        assert_eq!(row(side, lanes, &suits), ("attention_matrix", side));
    }
    assert_eq!(row(8, 8, &Attention { head_dim: 72, ..suits }).1, 8);
    for other in [
        row(16, 32, &Attention { head_dim: 72, ..suits }),
        row(16, 32, &Attention { tokens: 15, ..suits }),
        row(16, 32, &Attention { half: [false, true], ..suits }),
        row(16, 8, &suits),
        row(16, 0, &suits),
        row(0, 32, &suits),
    ] {
        assert_eq!(other, ("attention_tiled", 0));
    }
}

/// Teams of lanes take heads of 16 channels a lane, where every subgroup holds a team, of whatever size.
#[test]
fn attention_by_teams_needs_subgroups_that_hold_them() {
    let row = |least_subgroup, head_dim| {
        let target = Target { least_subgroup, ..target(Family::Subgroups, 0, 0) };
        let row = choose(ATTENTION, &target, &attention(head_dim)).unwrap();
        (row.file, row.needs.subgroup)
    };
    let team = |lanes| ("attention_team", Subgroups::AtLeast(lanes));
    for (least, head_dim, lanes) in
        [(4, 64, 4), (128, 8, 4), (8, 80, 8), (32, 88, 8), (32, 96, 8), (16, 128, 8), (16, 256, 16)]
    {
        assert_eq!(row(least, head_dim), team(lanes));
    }
    for (least, head_dim) in [(0, 64), (4, 80), (8, 136)] {
        assert_eq!(row(least, head_dim).0, "attention_tiled");
    }
}

/// Attention that is refused when a model is loaded is that for which some family has no row.
#[test]
fn attention_is_refused_where_no_row_fits() {
    for head_dim in 1..300 {
        let shape = Attention { tokens: 9, ..attention(head_dim) };
        let found = TARGETS.iter().all(|target| choose(ATTENTION, target, &shape).is_ok());
        let supported = shape.unsupported().is_none();
        assert!(found || !supported, "{head_dim}");
        assert_eq!(supported, head_dim <= 256 && head_dim % 4 == 0, "{head_dim}");
    }
}

//! Every row of the kernels' tables is linked, parsed, validated and held against WebGPU's default
//! limits, without a GPU; so is every combination of what may fill its holes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod choice;

use std::collections::HashMap;

use internvit::gpu::{
    ADD, APPEND, ATTENTION, Attention, BOX_MEAN, BoxMean, CAUSAL, Causal, EMBED, Family, Format,
    GATHER, Gather, INTERLEAVE, Interleave, Kernel, LINEAR, LOCAL_AFFINE, NORM, Needs, Norm, OUTER,
    PARTS, PATCHIFY, PICK, POOL, PROBABILITIES, Patchify, Pick, Pixels, Pool, Product, RESIZE,
    RIDGE, ROTATE, ROUND, Resize, Ridge, Rotate, Row, RowKind, Rows, SHADERS, ShaderFile, Size,
    Subgroups, TOP, Target, Tokens, Top, choose, link, rows,
};
use internvit::image::Normal;
use internvit::model::{NormKind, Pairs};
use internvit::plan::Activation;
use internvit::weights::QuantFormat;
use naga::valid::Capabilities;
use naga::{AddressSpace, StorageAccess};

const WORKGROUP_BYTES: u32 = 16_384;
const INVOCATIONS: u32 = 256;
const STORAGE_BUFFERS: usize = 8;

const fn target(family: Family, subgroup: u32, matrix: u32) -> Target {
    Target { family, subgroup, least_subgroup: subgroup, matrix }
}

/// Devices of every family, with subgroups and matrices of every size where they matter.
const TARGETS: [Target; 20] = [
    target(Family::Software, 0, 0),
    target(Family::SoftwareSubgroups, 4, 0),
    target(Family::SoftwareSubgroups, 8, 0),
    target(Family::Portable, 0, 0),
    target(Family::Portable, 8, 0),
    target(Family::Portable, 16, 0),
    target(Family::Portable, 128, 0),
    target(Family::Wide, 0, 0),
    target(Family::Tall, 0, 0),
    target(Family::Split, 0, 0),
    target(Family::Subgroups, 4, 0),
    target(Family::Subgroups, 8, 0),
    // Sizes that vary, and the largest.
    Target { subgroup: 0, ..target(Family::Subgroups, 16, 0) },
    target(Family::Subgroups, 128, 0),
    target(Family::Matrix, 8, 8),
    target(Family::Matrix, 64, 8),
    target(Family::Matrix, 16, 16),
    target(Family::Matrix, 32, 16),
    target(Family::Matrix, 64, 16),
    target(Family::Packed, 32, 0),
];

/// Kernels, each once, with what they need.
#[derive(Default)]
struct Kernels(HashMap<Kernel, Needs>);

impl Kernels {
    /// Adds the kernels of all rows and devices that suit a shape.
    fn add<S>(&mut self, rows: &'static [Row<S>], shape: &S) {
        for (row, target) in rows.iter().flat_map(|row| TARGETS.map(|target| (row, target))) {
            if row.suits(&target, shape) {
                self.0.insert(row.kernel(&target, shape), row.needs);
            }
        }
    }
}

/// `x · Wᵀ` and nothing else.
const PLAIN: Product = Product {
    rows: 64,
    k: 96,
    cols: 136,
    bias: false,
    activation: None,
    gated: false,
    scale: false,
    residual: false,
    gather: RowKind::Rows,
    format: Format::F32,
    half: [false; 2],
};

/// Products that differ in what follows the sums: every combination.
fn epilogues() -> Vec<Product> {
    let mut list = Vec::new();
    for activation in [None].into_iter().chain(Activation::ALL.map(Some)) {
        for bits in 0..16 {
            let [bias, gated, scale, residual] = [1, 2, 4, 8].map(|bit| bits & bit > 0);
            list.push(Product { bias, activation, gated, scale, residual, ..PLAIN });
        }
    }
    list
}

/// Products that differ in sizes, formats and what their rows are.
fn sources() -> Vec<Product> {
    let mut list = Vec::new();
    for rows in [1, 4, 64] {
        for (k, cols) in [(592, 1024), (3200, 9600), (48, 68)] {
            for format in Format::ALL {
                for half in [[false; 2], [false, true], [true; 2]] {
                    list.push(Product { rows, k, cols, format, half, ..PLAIN });
                }
            }
        }
        if rows == 1 {
            let gather = RowKind::Normed { channels: 96, eps: 1e-6 };
            let formats = Format::ALL.map(|format| Product { rows, format, gather, ..PLAIN });
            list.extend(formats);
        }
        list.push(Product { rows, k: 9 * 12, cols: 12, gather: RowKind::Windows, ..PLAIN });
        for (rgba, patch) in [(Some(Normal::default()), 14), (None, 16), (None, 15)] {
            let (k, gather) = (3 * patch * patch, RowKind::Patches { rgba, patch });
            list.push(Product { rows, k: k.next_multiple_of(4), cols: 1024, gather, ..PLAIN });
        }
    }
    list
}

/// Every kernel that a plan can ask for, at sizes that are no multiple of a tile too.
fn kernels() -> Kernels {
    let mut all = Kernels::default();
    for epilogue in epilogues() {
        // In the types that the rows for packed products and for matrices take.
        let (packed, half) = (Format::Quantized(QuantFormat::Int8), [true, !epilogue.residual]);
        all.add(LINEAR, &epilogue);
        all.add(LINEAR, &Product { rows: 1, ..epilogue });
        all.add(LINEAR, &Product { rows: 3, ..epilogue });
        all.add(LINEAR, &Product { format: packed, ..epilogue });
        all.add(&ROUND, &epilogue);
        all.add(LINEAR, &Product { format: Format::F16, half, ..epilogue });
        all.add(&PARTS, &Product { k: 256, ..epilogue });
    }
    sources().iter().for_each(|product| {
        all.add(LINEAR, product);
        all.add(&ROUND, product);
        all.add(&PARTS, product);
    });
    for head_dim in (8..=256).step_by(8) {
        for half in [[false; 2], [true, false], [true; 2]] {
            for bias in [false, true] {
                all.add(ATTENTION, &Attention { bias, half, ..attention(head_dim) });
            }
        }
    }
    for (kind, bias) in [(NormKind::Layer, true), (NormKind::Layer, false), (NormKind::Rms, false)]
    {
        for activation in [None].into_iter().chain(Activation::ALL.map(Some)) {
            for half in [[false; 2], [false, true], [true; 2]] {
                for c in [3200, 2730] {
                    all.add(&NORM, &Norm { c, kind, eps: 1e-6, bias, activation, half });
                }
            }
        }
    }
    for (rgba, patch, half) in
        [(Some(Normal::default()), 14, false), (None, 16, true), (None, 15, false)]
    {
        all.add(&PATCHIFY, &Patchify { rgba, patch, half });
    }
    for c in [192, 12] {
        all.add(&EMBED, &Tokens { c, prefix: c / 100 });
        all.add(&ADD, &Rows { c });
        all.add(&INTERLEAVE, &Interleave { c });
        for (parts, add) in [(1, false), (1, true), (4, false)] {
            all.add(&GATHER, &Gather { c, parts, add });
        }
        for pairs in [Pairs::Halves, Pairs::Neighbours] {
            all.add(&ROTATE, &Rotate { c: 24 * 3, head_dim: 24, pairs });
        }
        for flag in [true, false] {
            all.add(&POOL, &Pool { c, max: flag });
            all.add(&RESIZE, &Resize { c, wide: 3 * c, add: flag });
            all.add(&BOX_MEAN, &BoxMean { c, radius: 4, across: flag });
        }
        all.add(&OUTER, &Pixels { c });
        all.add(&RIDGE, &Ridge { c, eps: 1e-3 });
        all.add(&LOCAL_AFFINE, &Pixels { c });
    }
    let tables: [&'static [Row<Causal>]; 3] = [&APPEND, &CAUSAL, &PROBABILITIES];
    for head_dim in [8, 64, 128, 256] {
        for (norm, half) in [(None, false), (Some(1e-6), true)] {
            for table in tables {
                all.add(table, &Causal { heads: 14, key_heads: 2, head_dim, norm, half });
            }
        }
    }
    for format in Format::ALL {
        all.add(&PICK, &Pick { k: 896, format });
    }
    for (count, cols, numbered) in [(1, 151_674, false), (65, 65 * 37, true)] {
        all.add(&TOP, &Top { count, cols, step: if numbered { cols } else { 4096 }, numbered });
    }
    all
}

fn parse(kernel: &Kernel, needs: Needs) -> naga::Module {
    let source = link(&kernel.files, &kernel.knobs).unwrap();
    let module = naga::front::wgsl::parse_str(&source)
        .unwrap_or_else(|e| panic!("{kernel:?}: {}", e.emit_to_string(&source)));
    // What a device must have beyond WebGPU's core.
    let mut more = Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    more.set(Capabilities::SUBGROUP, needs.subgroup != Subgroups::Any);
    more.set(Capabilities::SHADER_FLOAT16, needs.half);
    more.set(Capabilities::COOPERATIVE_MATRIX, needs.matrix > 0);
    let mut validator = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), more);
    if let Err(e) = validator.validate(&module) {
        panic!("{kernel:?}: {}", e.emit_to_string(&source));
    }
    module
}

#[test]
fn every_kernel_is_valid_and_within_the_default_limits() {
    for (kernel, needs) in kernels().0 {
        let module = parse(&kernel, needs);
        let size = |v: &naga::GlobalVariable| module.types[v.ty].inner.size(module.to_ctx());
        let globals = || module.global_variables.iter().map(|(_, v)| v);
        let shared: u32 = globals().filter(|v| v.space == AddressSpace::WorkGroup).map(size).sum();
        assert!(shared <= WORKGROUP_BYTES, "{kernel:?}: {shared} bytes of workgroup memory");
        let storage = globals().filter(|v| matches!(v.space, AddressSpace::Storage { .. })).count();
        assert!(storage <= STORAGE_BUFFERS, "{kernel:?}: {storage} storage buffers");
        let [x, y, z] = module.entry_points[0].workgroup_size;
        assert!(x * y * z <= INVOCATIONS, "{kernel:?}: {} invocations", x * y * z);
        let writable = globals().filter(|v| {
            matches!(v.space, AddressSpace::Storage { access } if access.contains(StorageAccess::STORE))
        });
        assert_eq!(writable.count(), 1, "{kernel:?}: one output");
    }
}

/// Plain attention of three heads.
fn attention(head_dim: usize) -> Attention {
    Attention { tokens: 1025, heads: 3, head_dim, bias: false, cross: false, half: [false; 2] }
}

/// Every row is taken for some shape on some device.
#[test]
fn no_row_is_hidden_by_another() {
    let mut taken = Vec::new();
    let mut take = |about: internvit::gpu::About| taken.push((about.file, about.with, about.tile));
    for target in TARGETS {
        for product in epilogues().into_iter().chain(sources()) {
            take(choose(LINEAR, &target, &product).unwrap().about());
        }
        for head_dim in (8..=256).step_by(8) {
            for half in [[false; 2], [true; 2]] {
                let shape = Attention { half, ..attention(head_dim) };
                take(choose(ATTENTION, &target, &shape).unwrap().about());
            }
        }
        let norm = Norm {
            c: 192,
            kind: NormKind::Layer,
            eps: 1e-6,
            bias: true,
            activation: None,
            half: [false; 2],
        };
        take(choose(&NORM, &target, &norm).unwrap().about());
    }
    let several =
        rows().into_iter().filter(|row| matches!(row.op, "linear" | "attention" | "norm"));
    for row in several {
        assert!(taken.contains(&(row.file, row.with, row.tile)), "{row:?}");
    }
}

/// The uniform's fields in Rust and in WGSL.
#[test]
fn sizes_have_one_layout() {
    let embed = &EMBED[0];
    let kernel = embed.kernel(&TARGETS[0], &Tokens { c: 192, prefix: 1 });
    let module = parse(&kernel, embed.needs);
    let (_, ty) = module.types.iter().find(|(_, t)| t.name.as_deref() == Some("Size")).unwrap();
    let naga::TypeInner::Struct { members, span } = &ty.inner else { panic!("a struct") };
    let found: Vec<_> =
        members.iter().map(|m| (m.name.clone().unwrap(), m.offset as usize)).collect();
    macro_rules! expected {
        ($($field:ident),*) => {
            vec![$((stringify!($field).to_string(), std::mem::offset_of!(Size, $field))),*]
        };
    }
    let expected = expected!(
        rows,
        tokens,
        first_panel,
        first_plane,
        plane_stride,
        height,
        width,
        out_width,
        first_row,
        column,
        part_stride,
        spare
    );
    assert_eq!(found, expected);
    assert_eq!(*span as usize, size_of::<Size>());
}

/// No file that no kernel uses.
#[test]
fn every_shader_file_is_used() {
    let all = kernels().0;
    for ShaderFile { name, .. } in SHADERS {
        let by_file = SHADERS.iter().any(|file| file.uses.contains(name));
        let by_kernel = all.keys().any(|kernel| kernel.files.iter().any(|file| file == name));
        assert!(by_file || by_kernel, "shaders/{name}.wgsl is used by no kernel");
    }
}

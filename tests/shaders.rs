//! Every row of the kernel table is parsed, validated and held against WebGPU's default limits,
//! without a GPU.
#![allow(clippy::unwrap_used, reason = "tests")]

use internvit::gpu::{
    ATTENTION, Attention, AttentionRow, Family, Format, Gather, Kernel, LINEAR, LinearRow, Norm,
    Product, SHADERS, ShaderFile, Size, link,
};
use internvit::image::Normal;
use internvit::model::NormKind;
use internvit::plan::Activation;
use internvit::weights::Quant;
use naga::valid::Capabilities;
use naga::{AddressSpace, StorageAccess};

const WORKGROUP_BYTES: u32 = 16_384;
const INVOCATIONS: u32 = 256;
const STORAGE_BUFFERS: usize = 8;

/// Every kernel that a plan can ask for, at sizes that are no multiple of a tile too.
fn kernels() -> Vec<Kernel> {
    let mut list = vec![
        Kernel::patchify(Some(Normal::default()), 14, false),
        Kernel::patchify(None, 16, true),
        Kernel::embed(192, 1),
        Kernel::embed(12, 5),
    ];
    for row in LINEAR {
        for residual in [false, true] {
            for (k, cols) in [(592, 1024), (3200, 9600), (48, 68)] {
                for (format, x) in Format::ALL.into_iter().zip([false, true, true, true, true]) {
                    for activation in [None].into_iter().chain(Activation::ALL.map(Some)) {
                        for [bias, scale] in [[true, residual], [false, !residual]] {
                            let half = [x, x && !residual];
                            let gather = Gather::Rows;
                            let product = Product {
                                k,
                                cols,
                                bias,
                                activation,
                                scale,
                                residual,
                                gather,
                                format,
                                half,
                            };
                            list.extend(of_all_subgroups(row, &product));
                        }
                    }
                }
            }
        }
        let half = [row.matrix.is_some(); 2];
        let plain = plain(3200, 3200, Format::F16, half);
        list.extend(of_all_subgroups(row, &plain));
        let windows = Product {
            k: 9 * 12,
            cols: 12,
            bias: true,
            activation: Some(Activation::Relu),
            gather: Gather::Windows,
            format: Format::F32,
            ..plain
        };
        list.extend(of_all_subgroups(row, &windows));
        for (rgba, patch) in [(true, 14), (false, 16)] {
            let (k, gather) =
                (3 * patch * patch, Gather::Patches { rgba: rgba.then(Normal::default), patch });
            let patches = Product { k, cols: 1024, gather, ..windows };
            list.extend(of_all_subgroups(row, &patches));
        }
    }
    for head_dim in (8..=256).step_by(8) {
        for half in [false, true] {
            let attention = Attention { tokens: 1025, heads: 3, head_dim, half: [half; 2] };
            for family in Family::ALL {
                let units: &[[u32; 2]] = match (family, half) {
                    (Family::Matrix, true) => &[[8, 8], [8, 64], [16, 16], [16, 32]],
                    _ => &[[0, 0]],
                };
                for &[side, lanes] in units {
                    let row = AttentionRow::choose(family, side, lanes, &attention);
                    list.push(row.kernel(&attention, lanes));
                }
            }
        }
    }
    for max in [true, false] {
        list.push(Kernel::pool(64, max));
        list.push(Kernel::resize(16, 48, max));
    }
    list.push(Kernel::interleave(64));
    for (kind, bias, activation) in [
        (NormKind::Layer, true, None),
        (NormKind::Layer, true, Some(Activation::Erf)),
        (NormKind::Rms, false, None),
    ] {
        for family in Family::ALL {
            for half in [[false; 2], [false, true], [true; 2]] {
                let norm = Norm { c: 3200, kind, eps: 1e-6, bias, activation, half };
                list.extend([0, 8, 16, 32, 64, 128].map(|n| Kernel::norm(family, n, &norm)));
            }
        }
    }
    list
}

/// `x · Wᵀ` and nothing else.
fn plain(k: usize, cols: usize, format: Format, half: [bool; 2]) -> Product {
    let (bias, activation, scale, residual) = (false, None, false, false);
    Product { k, cols, bias, activation, scale, residual, gather: Gather::Rows, format, half }
}

/// A row's kernel for a product that it takes, for subgroups of every size where it matters.
fn of_all_subgroups(row: LinearRow, product: &Product) -> Vec<Kernel> {
    if LinearRow::choose(row.family, row.matrix.unwrap_or(0), product) != row {
        return Vec::new();
    }
    let sizes: &[u32] = if row.matrix.is_some() { &[8, 16, 32, 64] } else { &[0] };
    sizes.iter().map(|lanes| row.kernel(product, *lanes)).collect()
}

fn parse(kernel: &Kernel) -> naga::Module {
    let source = link(&kernel.files, &kernel.knobs).unwrap();
    let module = naga::front::wgsl::parse_str(&source)
        .unwrap_or_else(|e| panic!("{kernel:?}: {}", e.emit_to_string(&source)));
    // What a device must have beyond WebGPU's core, by the files that use it.
    let has = |file| kernel.files.contains(&file);
    let needs = [
        (
            has("linear_subgroup") || has("attention_subgroup") || has("shared/sum_subgroup"),
            Capabilities::SUBGROUP,
        ),
        (has("x/f16") || has("y/f16"), Capabilities::SHADER_FLOAT16_IN_FLOAT32),
        (
            has("linear_matrix") || has("attention_matrix"),
            Capabilities::SUBGROUP
                | Capabilities::SHADER_FLOAT16
                | Capabilities::COOPERATIVE_MATRIX,
        ),
    ];
    let more = needs.iter().filter(|(used, _)| *used).map(|(_, more)| *more).collect();
    let mut validator = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), more);
    if let Err(e) = validator.validate(&module) {
        panic!("{kernel:?}: {}", e.emit_to_string(&source));
    }
    module
}

#[test]
fn every_kernel_is_valid_and_within_the_default_limits() {
    for kernel in kernels() {
        let module = parse(&kernel);
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

/// Products run on matrix units where x and W are f16 and the tiles divide the inputs.
#[test]
fn products_that_suit_run_on_matrix_units() {
    let suits = plain(1024, 4096, Format::F16, [true, true]);
    let file = |matrix, product: &Product| {
        let row = LinearRow::choose(Family::Matrix, matrix, product);
        (row.file, row.matrix)
    };
    assert_eq!(file(16, &suits), ("linear_matrix", Some(16)));
    assert_eq!(file(8, &suits), ("linear_matrix", Some(8)));
    assert_eq!(file(8, &Product { k: 584, ..suits }), ("linear_matrix", Some(8)));
    let few = Product { format: Format::Few(Quant::Int8), ..suits };
    assert_eq!(LinearRow::choose(Family::Packed, 0, &few).file, "linear_packed");
    for other in [Product { k: 588, ..few }, Product { format: Format::F16, ..few }] {
        assert_eq!(LinearRow::choose(Family::Packed, 0, &other).file, "linear_tiled");
    }
    for other in [
        Product { k: 588, ..suits },
        Product { gather: Gather::Windows, ..suits },
        Product { format: Format::Bf16, ..suits },
        Product { half: [false, true], ..suits },
    ] {
        assert_eq!(file(16, &other), ("linear_tiled", None));
    }
}

/// Attention runs on matrix units where q, k and v are f16 and the tiles divide a head and fit a
/// picture.
#[test]
fn attention_that_suits_runs_on_matrix_units() {
    let suits = Attention { tokens: 1025, heads: 16, head_dim: 80, half: [true, true] };
    let row = |side, lanes, attention: &Attention| {
        AttentionRow::choose(Family::Matrix, side, lanes, attention)
    };
    for (side, lanes) in [(16, 32), (8, 8), (8, 64)] {
        let found = row(side, lanes, &suits);
        assert_eq!((found.file, found.matrix), ("attention_matrix", Some(side)));
    }
    assert_eq!(row(8, 8, &Attention { head_dim: 72, ..suits }).matrix, Some(8));
    for other in [
        row(16, 32, &Attention { head_dim: 72, ..suits }),
        row(16, 32, &Attention { tokens: 15, ..suits }),
        row(16, 32, &Attention { half: [false, true], ..suits }),
        row(16, 8, &suits),
        row(16, 0, &suits),
        row(0, 32, &suits),
    ] {
        assert_eq!((other.file, other.matrix), ("attention_tiled", None));
    }
}

/// The uniform's fields in Rust and in WGSL.
#[test]
fn sizes_have_one_layout() {
    let module = parse(&Kernel::embed(192, 1));
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
        spare0,
        spare1
    );
    assert_eq!(found, expected);
    assert_eq!(*span as usize, size_of::<Size>());
}

/// No file that no kernel uses.
#[test]
fn every_shader_file_is_used() {
    let used: Vec<_> = kernels().into_iter().flat_map(|k| k.files).collect();
    for ShaderFile { name, .. } in SHADERS {
        let by_file = SHADERS.iter().any(|file| file.uses.contains(name));
        assert!(by_file || used.contains(name), "shaders/{name}.wgsl is used by no kernel");
    }
    for family in Family::ALL {
        let attention = Attention { tokens: 9, heads: 3, head_dim: 0, half: [false; 2] };
        let row =
            |head_dim| AttentionRow::choose(family, 0, 0, &Attention { head_dim, ..attention });
        assert!((8..256).all(|d| row(d).max_head_dim <= row(d + 1).max_head_dim), "{ATTENTION:?}");
    }
}

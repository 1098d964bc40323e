//! Every row of the kernel table is parsed, validated and held against WebGPU's default limits,
//! without a GPU.
#![allow(clippy::unwrap_used, reason = "tests")]

use internvit::gpu::{
    ATTENTION, AttentionRow, Family, Format, Kernel, LINEAR, SHADERS, Size, link,
};
use internvit::model::NormKind;
use internvit::plan::Finish;
use naga::valid::Capabilities;
use naga::{AddressSpace, StorageAccess};

const WORKGROUP_BYTES: u32 = 16_384;
const INVOCATIONS: u32 = 256;
const STORAGE_BUFFERS: usize = 8;

/// Every kernel that a plan can ask for, at sizes that are no multiple of a tile too.
fn kernels() -> Vec<Kernel> {
    let residual = Finish::Residual { scale: "ls1".into() };
    let mut list = vec![
        Kernel::unfold(true, 14),
        Kernel::unfold(false, 16),
        Kernel::embed(192),
        Kernel::embed(12),
    ];
    for row in LINEAR {
        for finish in [&Finish::Store, &Finish::Gelu, &residual] {
            for (k, cols) in [(588, 1024), (3200, 9600), (12, 68)] {
                for format in Format::ALL {
                    list.push(row.kernel([k, cols], finish, true, false, format));
                }
            }
        }
        list.push(row.kernel([3200, 3200], &Finish::Store, false, false, Format::F16));
        list.push(row.kernel([9 * 16, 12], &Finish::Relu, true, true, Format::F32));
    }
    for d in (8..=256).step_by(8) {
        for family in Family::ALL {
            list.push(AttentionRow::choose(family, d).kernel(3, d));
        }
    }
    for max in [true, false] {
        list.push(Kernel::pool(64, max));
        list.push(Kernel::resize(16, 48, max));
    }
    list.push(Kernel::interleave(64));
    for (kind, bias, in_place) in [
        (NormKind::Layer, [true, false], false),
        (NormKind::Layer, [true, true], false),
        (NormKind::Rms, [false, false], false),
        (NormKind::Rms, [false, false], true),
    ] {
        for family in Family::ALL {
            list.push(Kernel::norm(family, 3200, kind, 1e-6, bias, in_place));
        }
    }
    list
}

fn parse(kernel: &Kernel) -> naga::Module {
    let source = link(&kernel.files, &kernel.knobs).unwrap();
    let module = naga::front::wgsl::parse_str(&source)
        .unwrap_or_else(|e| panic!("{kernel:?}: {}", e.emit_to_string(&source)));
    // Only the family for subgroups asks for more than WebGPU's core.
    let more = if kernel.files[0] == "linear_subgroup" {
        Capabilities::SUBGROUP
    } else {
        Capabilities::empty()
    };
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

/// The uniform's fields in Rust and in WGSL.
#[test]
fn sizes_have_one_layout() {
    let module = parse(&Kernel::embed(192));
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
    for (name, _) in SHADERS {
        assert!(used.contains(name), "shaders/{name}.wgsl is used by no kernel");
    }
    for family in Family::ALL {
        let row = |d| AttentionRow::choose(family, d);
        assert!((8..256).all(|d| row(d).max_head_dim <= row(d + 1).max_head_dim), "{ATTENTION:?}");
    }
}

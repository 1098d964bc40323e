//! The one table that chooses kernels. The shader check and the kernels' tests go through the same
//! rows, so none can be untested.

use std::collections::HashMap;

use super::{Caps, Format, Gpu, link};
use crate::Result;
use crate::model::NormKind;
use crate::plan::Finish;

/// A kernel, ready to be linked: equal kernels share a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// The main file, then the files that fill its holes.
    pub files: Vec<&'static str>,
    /// Names and values.
    pub knobs: Vec<(&'static str, String)>,
}

/// Kernels of one kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// For adapters that compute on the CPU: no workgroup memory, no barriers.
    Software,
    /// The same with subgroups of 8 invocations.
    SoftwareSubgroups,
    /// For any GPU, within WebGPU's default limits.
    Portable,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Software, Self::SoftwareSubgroups, Self::Portable];

    /// The family for a device.
    pub fn of(caps: &Caps) -> Self {
        match (caps.software, caps.subgroup) {
            (true, 8) => Self::SoftwareSubgroups,
            (true, _) => Self::Software,
            (false, _) => Self::Portable,
        }
    }

    /// Whether a device can run it, well or not.
    pub fn runs_on(self, caps: &Caps) -> bool {
        self != Self::SoftwareSubgroups || caps.subgroup == 8
    }
}

/// A variant of the linear kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearRow {
    /// The devices it is for.
    pub family: Family,
    /// The main file.
    pub file: &'static str,
    /// Rows that a workgroup owns.
    pub tile_rows: usize,
}

/// Variants of the linear kernel; the family's first is taken.
pub const LINEAR: [LinearRow; 3] = [
    LinearRow { family: Family::Software, file: "linear_direct", tile_rows: 16 },
    LinearRow { family: Family::SoftwareSubgroups, file: "linear_subgroup", tile_rows: 16 },
    LinearRow { family: Family::Portable, file: "linear_tiled", tile_rows: 64 },
];

/// A tile shape of an attention kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionRow {
    /// The devices it is for.
    pub family: Family,
    /// The main file.
    pub file: &'static str,
    /// For heads of up to so many channels.
    pub max_head_dim: usize,
    /// Queries of a workgroup.
    pub tile_q: usize,
    /// Keys at a time.
    pub tile_k: usize,
}

const fn tiled(max_head_dim: usize, tile_q: usize, tile_k: usize) -> AttentionRow {
    AttentionRow { family: Family::Portable, file: "attention_tiled", max_head_dim, tile_q, tile_k }
}

const fn direct(family: Family) -> AttentionRow {
    AttentionRow { family, file: "attention_direct", max_head_dim: 256, tile_q: 32, tile_k: 16 }
}

/// Tiles by width of head, the first that fits is taken. In workgroup memory, queries, keys and
/// scores together stay under 16 KiB.
pub const ATTENTION: [AttentionRow; 5] = [
    direct(Family::Software),
    direct(Family::SoftwareSubgroups),
    tiled(64, 32, 16),
    tiled(128, 16, 8),
    tiled(256, 8, 4),
];

impl LinearRow {
    /// The variant for a kind of device.
    pub fn choose(family: Family) -> Self {
        let row = LINEAR.into_iter().find(|row| row.family == family);
        row.expect("every family has a row")
    }

    /// The kernel for `k` inputs and `cols` outputs a plane; over windows of a map, k is nine
    /// times its channels.
    pub fn kernel(
        self,
        [k, cols]: [usize; 2],
        finish: &Finish,
        bias: bool,
        windows: bool,
        format: Format,
    ) -> Kernel {
        let hole = match finish {
            Finish::Store if bias => "finish/bias",
            Finish::Store => "finish/store",
            Finish::Gelu => "finish/gelu",
            Finish::Relu => "finish/relu",
            Finish::Residual { .. } => "finish/residual",
        };
        let input = if windows { "input/window" } else { "input/rows" };
        let mut files = vec![self.file, input, format.hole(), hole, "shared/size"];
        if *finish == Finish::Gelu {
            files.push("shared/gelu");
        }
        let mut knobs = vec![("K", format!("{k}u")), ("COLS", format!("{cols}u"))];
        if self.family == Family::Portable {
            knobs.push(("TILE_ROWS", format!("{}u", self.tile_rows)));
        }
        Kernel { files, knobs }
    }
}

impl AttentionRow {
    /// The row for heads of `head_dim` channels.
    pub fn choose(family: Family, head_dim: usize) -> Self {
        let fits = |row: &Self| row.family == family && head_dim <= row.max_head_dim;
        let row = ATTENTION.into_iter().find(fits);
        row.expect("the configuration's check bounds head_dim")
    }

    /// The kernel for `heads` heads of `head_dim` channels.
    pub fn kernel(self, heads: usize, head_dim: usize) -> Kernel {
        let mut knobs = vec![("D", format!("{head_dim}u")), ("HEADS", format!("{heads}u"))];
        if self.family == Family::Portable {
            knobs.push(("TILE_Q", format!("{}u", self.tile_q)));
            knobs.push(("TILE_K", format!("{}u", self.tile_k)));
        }
        Kernel { files: vec![self.file, "shared/size"], knobs }
    }
}

impl Kernel {
    /// Patches from pictures of bytes or of f32 planes.
    pub fn unfold(rgba: bool, patch: usize) -> Self {
        let pixel = if rgba { "pixel/rgba" } else { "pixel/planes" };
        Self {
            files: vec!["unfold", pixel, "shared/size"],
            knobs: vec![("PATCH", format!("{patch}u"))],
        }
    }

    /// Class token and positions.
    pub fn embed(c: usize) -> Self {
        Self { files: vec!["embed", "shared/size"], knobs: vec![("C", format!("{c}u"))] }
    }

    /// Four planes to one map.
    pub fn interleave(c: usize) -> Self {
        Self { files: vec!["interleave", "shared/size"], knobs: vec![("C", format!("{c}u"))] }
    }

    /// Pooling over a map.
    pub fn pool(c: usize, max: bool) -> Self {
        let knobs = vec![("C", format!("{c}u")), ("MAX", max.to_string())];
        Self { files: vec!["pool", "shared/size"], knobs }
    }

    /// Bilinear resize of `c` channels into a map of `wide`.
    pub fn resize(c: usize, wide: usize, add: bool) -> Self {
        let knobs =
            vec![("C", format!("{c}u")), ("WIDE", format!("{wide}u")), ("ADD", add.to_string())];
        Self { files: vec!["resize", "shared/size"], knobs }
    }

    /// A norm over `c` channels, with or without bias and GELU.
    pub fn norm(
        family: Family,
        c: usize,
        kind: NormKind,
        eps: f32,
        [bias, gelu]: [bool; 2],
        in_place: bool,
    ) -> Self {
        let place = if in_place { "place/in_place" } else { "place/into" };
        let affine = match (bias, gelu) {
            (true, true) => "affine/weight_bias_gelu",
            (true, false) => "affine/weight_bias",
            (false, _) => "affine/weight",
        };
        let knobs = vec![
            ("C", format!("{c}u")),
            ("LAYER", (kind == NormKind::Layer).to_string()),
            ("EPS", format!("{eps:e}")),
        ];
        let mut files = match family {
            Family::Portable => vec!["norm", place, affine, "shared/size", "shared/sum"],
            _ => vec!["norm_direct", place, affine, "shared/size"],
        };
        if gelu {
            files.push("shared/gelu");
        }
        Self { files, knobs }
    }
}

/// Pipelines by kernel.
pub(super) type Pipelines = HashMap<Kernel, wgpu::ComputePipeline>;

impl Gpu {
    /// The kernel's pipeline, compiled at first use.
    pub(super) fn pipeline(&self, kernel: &Kernel) -> Result<wgpu::ComputePipeline> {
        if let Some(pipeline) = self.pipelines.borrow().get(kernel) {
            return Ok(pipeline.clone());
        }
        let name = kernel.files[0];
        let source = link(&kernel.files, &kernel.knobs)?;
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(name),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: self.cache.as_ref().map(|cache| &cache.pipelines),
        });
        self.check()?;
        self.pipelines.borrow_mut().insert(kernel.clone(), pipeline.clone());
        Ok(pipeline)
    }

    /// Keeps what has been compiled for later processes.
    pub(super) fn save_pipelines(&self) {
        if let Some(cache) = &self.cache {
            cache.save(self.pipelines.borrow().len());
        }
    }
}

//! What bounds an answer on a device: its copy, a kernel that loads and does nothing else, one that loads 4 bits, widens and
//! sums them, and products of one row with weights in 32, 8 and 4 bits, all in turn: `cargo bench --bench decode -- loads`.
//!
//! A token reads every weight once, and caches hold few of them, so each goes through ten matrices one after the other; with
//! `loads 2` through the same two again and again, which a cache may hold.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Instant;

use internvit::gpu::{Choice, Gpu, GpuWeights, PreparedPlan};
use internvit::model::WeightKind;
use internvit::plan::{Linear, Op, Plan, Role, Slot, Value};
use internvit::weights::random_tensor;
use internvit::{Precision, wgpu};

/// Inputs, and panels of 64 outputs: a matrix is 50 MB in 8 bits.
const K: usize = 896;
const PANELS: u64 = 880;
const BYTES: u64 = PANELS * 64 * K as u64;

/// Rounds, of which the first warms up.
const ROUNDS: usize = 10;

/// Matrices, two or more, where no other number is asked for: together as many bytes as InternVL3-1B's language model has in 8 bits.
pub(super) const MATRICES: usize = 10;

pub(super) async fn main(matrices: usize) {
    let device = Device::open(matrices).await;
    let mut products = Vec::new();
    // As many bytes each.
    for (precision, outputs) in [
        (Precision::F32, PANELS * 16),
        (Precision::Int8, PANELS * 64),
        (Precision::Int4, PANELS * 114),
    ] {
        products
            .push((precision.name(), Product::open(precision, outputs as usize, matrices).await));
    }
    let mut rates: HashMap<&str, Vec<f64>> = HashMap::new();
    for round in 0..ROUNDS {
        let mut all = vec![("copy", device.copy())];
        all.extend(device.kernels.iter().map(|kernel| (kernel.name, device.rate(kernel))));
        for (name, product) in &mut products {
            all.push((*name, product.rate().await));
        }
        for (name, rate) in all.into_iter().filter(|_| round > 0) {
            rates.entry(name).or_default().push(rate);
        }
    }
    let median = |name: &str| {
        let mut list = rates[name].clone();
        list.sort_by(f64::total_cmp);
        list[list.len() / 2]
    };
    let [copy, loads] = ["copy", "loads alone"].map(median);
    println!(
        "{}: {matrices} matrices of {:.0} MB, medians of {} rounds",
        device.name,
        BYTES as f64 / 1e6,
        ROUNDS - 1
    );
    println!("             GB/s   of the loads   of the copy");
    for name in ["copy", "loads alone", "int4 widened", "f32", "int8", "int4"] {
        let rate = median(name);
        let [of_loads, of_copy] = [loads, copy].map(|most| 100.0 * rate / most);
        println!("{name:12} {:>5.1} {of_loads:>12.0} % {of_copy:>11.0} %", rate / 1e9);
    }
}

/// What reads all of a matrix.
struct Kernel {
    name: &'static str,
    pipeline: wgpu::ComputePipeline,
    /// What it is bound to for each matrix.
    groups: Vec<wgpu::BindGroup>,
    /// Its workgroups.
    panels: u64,
}

/// A device with what it copies and loads.
struct Device {
    device: wgpu::Device,
    queue: wgpu::Queue,
    matrices: Vec<wgpu::Buffer>,
    kernels: Vec<Kernel>,
    name: String,
}

impl Device {
    async fn open(matrices: usize) -> Self {
        let adapter = wgpu::Instance::default().request_adapter(&Default::default()).await.unwrap();
        let required_limits = adapter.limits();
        let wanted = wgpu::DeviceDescriptor { required_limits, ..Default::default() };
        let (device, queue) = adapter.request_device(&wanted).await.unwrap();
        let buffer = |size| {
            let usage = wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST;
            let wanted =
                wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false };
            device.create_buffer(&wanted)
        };
        let y = buffer(PANELS * 512);
        let matrices: Vec<_> = (0..matrices).map(|_| buffer(BYTES)).collect();
        for matrix in &matrices {
            queue.write_buffer(matrix, 0, &vec![1; BYTES as usize]);
            queue.submit([]);
        }
        let kernels = [
            ("loads alone", wgpu::include_wgsl!("loads.wgsl"), PANELS),
            ("int4 widened", wgpu::include_wgsl!("widen.wgsl"), 2 * PANELS),
        ];
        let kernels = kernels.map(|(name, text, panels)| {
            let (pipeline, groups) = kernel(&device, text, &matrices, &y);
            Kernel { name, pipeline, groups, panels }
        });
        let name = adapter.get_info().name;
        Self { device, queue, matrices, kernels: kernels.into(), name }
    }

    fn seconds(&self, record: impl FnOnce(&mut wgpu::CommandEncoder)) -> f64 {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        record(&mut encoder);
        let start = Instant::now();
        let submission_index = Some(self.queue.submit([encoder.finish()]));
        self.device.poll(wgpu::PollType::Wait { submission_index, timeout: None }).unwrap();
        start.elapsed().as_secs_f64()
    }

    /// Bytes that are read and written a second.
    fn copy(&self) -> f64 {
        // Neither side was copied just before.
        let targets = self.matrices.iter().cycle().skip(self.matrices.len() / 2);
        let seconds = self.seconds(|encoder| {
            for (from, to) in self.matrices.iter().zip(targets) {
                encoder.copy_buffer_to_buffer(from, 0, to, 0, BYTES);
            }
        });
        2.0 * self.bytes() / seconds
    }

    fn bytes(&self) -> f64 {
        BYTES as f64 * self.matrices.len() as f64
    }

    /// Bytes that a kernel reads a second.
    fn rate(&self, kernel: &Kernel) -> f64 {
        let seconds = self.seconds(|encoder| {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&kernel.pipeline);
            for group in &kernel.groups {
                pass.set_bind_group(0, group, &[]);
                pass.dispatch_workgroups(kernel.panels as u32, 1, 1);
            }
        });
        self.bytes() / seconds
    }
}

/// A kernel and what it is bound to for each matrix.
fn kernel(
    device: &wgpu::Device,
    text: wgpu::ShaderModuleDescriptor<'_>,
    matrices: &[wgpu::Buffer],
    y: &wgpu::Buffer,
) -> (wgpu::ComputePipeline, Vec<wgpu::BindGroup>) {
    let module = device.create_shader_module(text);
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    });
    let layout = pipeline.get_bind_group_layout(0);
    let bound = |matrix: &wgpu::Buffer| {
        let entries = [(0, matrix), (1, y)].map(|(binding, buffer)| wgpu::BindGroupEntry {
            binding,
            resource: buffer.as_entire_binding(),
        });
        device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &layout,
            entries: &entries,
        })
    };
    let groups = matrices.iter().map(bound).collect();
    (pipeline, groups)
}

/// Products of one row, with a matrix each.
struct Product {
    gpu: Gpu,
    prepared: PreparedPlan,
    bytes: f64,
}

impl Product {
    async fn open(precision: Precision, outputs: usize, matrices: usize) -> Self {
        let gpu = Gpu::open_as(&Choice::Auto, precision).await.unwrap();
        let mut plan = Plan::new(1);
        let x = plan.add(Slot::new("x", [1, 1, K], Role::Input));
        let mut tensors = HashMap::new();
        for at in 0..matrices {
            let (name, role) = (format!("fc{at}"), Role::Weight(WeightKind::Matrix));
            let slot = Slot { block: Some(at), ..Slot::new(&name, [1, outputs, K], role) };
            let weight = plan.add(slot);
            let y = plan.add(Slot::new(&format!("y{at}"), [1, 1, outputs], Role::Temporary));
            plan.push(y, Op::Linear(Linear::new(x, weight)));
            plan.output(&format!("y{at}"), y);
            let values = random_tensor(1, &name, &[outputs, K], WeightKind::Matrix);
            tensors.insert(name, values);
        }
        let go_on = &mut async |_| ControlFlow::Continue(());
        let plans = std::slice::from_ref(&plan);
        let weights = GpuWeights::upload(&gpu, plans, &tensors, go_on).await.unwrap();
        let bytes = weights.bytes() as f64;
        let mut prepared = PreparedPlan::new(&gpu, plan, &weights).await.unwrap();
        let row: Vec<f32> = (0..K).map(|at| (at as f32).sin()).collect();
        let go_on = &mut async |_, _| ControlFlow::Continue(());
        prepared.run(&gpu, 1, &[(x, Value::F32(&row))], None, go_on).await.unwrap();
        Self { gpu, prepared, bytes }
    }

    /// Bytes of weights a second, by the device's own clock.
    async fn rate(&mut self) -> f64 {
        let start = Instant::now();
        let clock = || start.elapsed().as_secs_f64();
        let go_on = &mut async |_, _| ControlFlow::Continue(());
        let times = self.prepared.profile(&self.gpu, 1, &[], &clock, go_on).await.unwrap();
        self.bytes / times.iter().map(|time| time.seconds).sum::<f64>()
    }
}

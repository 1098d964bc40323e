//! What bounds an answer on a device: its copy, a kernel that loads and does nothing else, one that loads 4 bits, widens and
//! sums them, and products of one row with weights in 32, 8 and 4 bits, all in turn: `cargo bench --bench decode -- loads`.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Instant;

use internvit::gpu::{Choice, Gpu, GpuWeights, PreparedPlan};
use internvit::model::WeightKind;
use internvit::plan::{Linear, Op, Plan, Role, Slot, Value};
use internvit::weights::random_tensor;
use internvit::{Precision, wgpu};

/// Inputs, and panels of 64 outputs: 50 MB in 8 bits.
const K: usize = 896;
const PANELS: u64 = 880;
const BYTES: u64 = PANELS * 64 * K as u64;

/// Rounds, of which the first warms up.
const ROUNDS: usize = 10;

pub(super) async fn main() {
    let device = Device::open().await;
    let mut products = Vec::new();
    // As many bytes each.
    for (precision, outputs) in [
        (Precision::F32, PANELS * 16),
        (Precision::Int8, PANELS * 64),
        (Precision::Int4, PANELS * 114),
    ] {
        products.push((precision.name(), Product::open(precision, outputs as usize).await));
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
    println!("{}: medians of {} rounds", device.name, ROUNDS - 1);
    println!("             GB/s   of the loads   of the copy");
    for name in ["copy", "loads alone", "int4 widened", "f32", "int8", "int4"] {
        let rate = median(name);
        let [of_loads, of_copy] = [loads, copy].map(|most| 100.0 * rate / most);
        println!("{name:12} {:>5.1} {of_loads:>12.0} % {of_copy:>11.0} %", rate / 1e9);
    }
}

/// What reads all of a buffer.
struct Kernel {
    name: &'static str,
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    /// Its workgroups.
    panels: u64,
}

/// A device with what it copies and loads.
struct Device {
    device: wgpu::Device,
    queue: wgpu::Queue,
    weights: wgpu::Buffer,
    other: wgpu::Buffer,
    kernels: Vec<Kernel>,
    name: String,
}

impl Device {
    async fn open() -> Self {
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
        let [weights, other, y] = [BYTES, BYTES, PANELS * 512].map(buffer);
        queue.write_buffer(&weights, 0, &vec![1; BYTES as usize]);
        let kernels = [
            ("loads alone", wgpu::include_wgsl!("loads.wgsl"), PANELS),
            ("int4 widened", wgpu::include_wgsl!("widen.wgsl"), 2 * PANELS),
        ];
        let kernels = kernels.map(|(name, text, panels)| {
            let (pipeline, group) = kernel(&device, text, [&weights, &y]);
            Kernel { name, pipeline, group, panels }
        });
        let name = adapter.get_info().name;
        Self { device, queue, weights, other, kernels: kernels.into(), name }
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
        let (from, to) = (&self.weights, &self.other);
        2.0 * BYTES as f64
            / self.seconds(|encoder| encoder.copy_buffer_to_buffer(from, 0, to, 0, BYTES))
    }

    /// Bytes that a kernel reads a second.
    fn rate(&self, kernel: &Kernel) -> f64 {
        let seconds = self.seconds(|encoder| {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&kernel.pipeline);
            pass.set_bind_group(0, &kernel.group, &[]);
            pass.dispatch_workgroups(kernel.panels as u32, 1, 1);
        });
        BYTES as f64 / seconds
    }
}

/// A kernel and what it is bound to.
fn kernel(
    device: &wgpu::Device,
    text: wgpu::ShaderModuleDescriptor<'_>,
    buffers: [&wgpu::Buffer; 2],
) -> (wgpu::ComputePipeline, wgpu::BindGroup) {
    let module = device.create_shader_module(text);
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    });
    let bound = buffers.into_iter().zip(0..).map(|(buffer, binding)| wgpu::BindGroupEntry {
        binding,
        resource: buffer.as_entire_binding(),
    });
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &bound.collect::<Vec<_>>(),
    });
    (pipeline, group)
}

/// A product of one row.
struct Product {
    gpu: Gpu,
    prepared: PreparedPlan,
    bytes: f64,
}

impl Product {
    async fn open(precision: Precision, outputs: usize) -> Self {
        let gpu = Gpu::open_as(&Choice::Auto, precision).await.unwrap();
        let mut plan = Plan::new(1);
        let x = plan.add(Slot::new("x", [1, 1, K], Role::Input));
        let role = Role::Weight(WeightKind::Matrix);
        let weight = plan.add(Slot { block: Some(0), ..Slot::new("fc1", [1, outputs, K], role) });
        let y = plan.add(Slot::new("y", [1, 1, outputs], Role::Temporary));
        plan.push(y, Op::Linear(Linear::new(x, weight)));
        plan.output("y", y);
        let values = random_tensor(1, "fc1", &[outputs, K], WeightKind::Matrix);
        let tensors = HashMap::from([("fc1".to_string(), values)]);
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

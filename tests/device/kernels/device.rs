//! A device that the caller opened.

use internvit::gpu::{Gpu, Precision, wgpu};

use super::linear::Product;
use crate::common::*;

#[test]
fn a_callers_device_computes_and_stays_open() {
    if gpu().is_none() {
        return;
    }
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::PRIMARY;
    let instance = wgpu::Instance::new(descriptor);
    let adapter = wait(instance.request_adapter(&Default::default())).unwrap();
    let (device, queue) = wait(adapter.request_device(&Default::default())).unwrap();
    let info = adapter.get_info();
    let gpu = Gpu::from_wgpu(&info, device.clone(), queue.clone(), Precision::F32);
    assert_eq!(gpu.report.name, info.name);
    let product = Product { batch: 1, rows: 5, shape: [1, 20, 12], ..Product::default() };
    product.case().check(&gpu);
    refused("another's device", wait(gpu.reopen(Precision::F32)), "opened by the caller");
    drop(gpu);
    // It still takes and gives bytes.
    let usage = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ;
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 16,
        usage,
        mapped_at_creation: false,
    });
    queue.write_buffer(&buffer, 0, &[7; 16]);
    queue.submit([]);
    buffer.slice(..).map_async(wgpu::MapMode::Read, |mapped| mapped.unwrap());
    device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    assert_eq!(buffer.slice(..).get_mapped_range().unwrap()[..], [7; 16]);
}

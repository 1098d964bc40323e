// Opens graphics devices with subgroups, where the adapter has them: wgpu asks a browser for features by a list of its
// own, in which they are missing. This file can go when wgpu has them there (gfx-rs/wgpu#10146).

/** What kernels use and wgpu does not ask for. */
const USED = ["subgroups"] as const;

/** From now on each device that this worker opens has them. */
export function askForSubgroups() {
  const adapter = globalThis.GPUAdapter?.prototype;
  if (!adapter) return;
  const { requestDevice } = adapter;
  adapter.requestDevice = function (descriptor: GPUDeviceDescriptor = {}) {
    const asked = new Set<GPUFeatureName>(descriptor.requiredFeatures ?? []);
    for (const feature of USED) if (this.features.has(feature)) asked.add(feature);
    return requestDevice.call(this, { ...descriptor, requiredFeatures: [...asked] });
  };
}

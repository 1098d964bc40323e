// What the browser tells of the graphics device, which does not reach the module through wgpu.

const info = async () => (await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" }))?.info;

/** The device's name in the browser's own words; empty where it tells none. */
export async function adapterName(): Promise<string> {
  const { description = "", vendor = "", architecture = "" } = (await info()) ?? {};
  return description || [vendor, architecture].filter(Boolean).join(" ");
}

/** All that the browser tells, by which devices and drivers differ. */
export async function adapterWords(): Promise<string> {
  const { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize } = (await info()) ?? {};
  return [vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize].join(" ");
}

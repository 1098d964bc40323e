// The name of the graphics device.

/** The browser's own words for the adapter, which do not reach the module through wgpu. */
export async function adapterName(): Promise<string> {
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return "";
  const { description, vendor, architecture } = adapter.info;
  return description || [vendor, architecture].filter(Boolean).join(" ");
}

// Recognises files of taught heads by their safetensors header.

/** Longest header in bytes. A head's takes about a thousand, a large model's some hundred thousand. */
const MOST = 16 << 20;

/** Whether a file is a head that was taught and exported, or has at least a head's tensors. */
export async function isHead(file: File): Promise<boolean> {
  const header = await headerOf(file).catch(() => null);
  if (!header) return false;
  const said = header.__metadata__;
  if (typeof said === "object" && said !== null && Object.hasOwn(said, "segmentation")) return true;
  return Object.keys(header).some((name) => name.startsWith("decode_head."));
}

async function headerOf(file: File): Promise<Record<string, unknown> | null> {
  if (file.size < 8) return null;
  const length = Number(new DataView(await file.slice(0, 8).arrayBuffer()).getBigUint64(0, true));
  if (length > Math.min(MOST, file.size - 8)) return null;
  const header: unknown = JSON.parse(await file.slice(8, 8 + length).text());
  return typeof header === "object" && header !== null && !Array.isArray(header) ? (header as Record<string, unknown>) : null;
}

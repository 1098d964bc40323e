// Recognises files of taught heads by their safetensors header.

/** Longest header in bytes. A head's takes about a thousand, a large model's some hundred thousand. */
const MOST = 16 << 20;

/**
 * Whether a file is meant to be a head that was taught and exported, or has at least a head's tensors. Its header is
 * looked through as text: what is in it, and whether it is right, the module alone decides.
 */
export async function isHead(file: File): Promise<boolean> {
  const header = await headerOf(file).catch(() => "");
  return /"decode_head\./.test(header) || (header.includes('"__metadata__"') && /"segmentation"\s*:/.test(header));
}

/** The header's text; empty where the file has none. */
async function headerOf(file: File): Promise<string> {
  if (file.size < 8) return "";
  const length = Number(new DataView(await file.slice(0, 8).arrayBuffer()).getBigUint64(0, true));
  if (length > Math.min(MOST, file.size - 8)) return "";
  const text = await file.slice(8, 8 + length).text();
  return text.startsWith("{") ? text : "";
}

// The worker that makes small pictures of a folder's photographs, arranges them, and writes tables of them.

import { folderCalls, type FolderCalls } from "../shared/folder";
import { arrange, groups, type Turn } from "./arrange";
import { pause } from "./pause";
import { serve, type Handlers, type Job } from "./serve";
import { tableOf } from "./table";

/** Longest time between two yields to the event loop, in milliseconds. */
const YIELD_EVERY = 50;

class FolderHost implements Handlers<FolderCalls> {
  async thumbnail({ photo, height }: FolderCalls["thumbnail"]["given"]) {
    const bitmap = await createImageBitmap(photo).catch(() => null);
    if (!bitmap) return null;
    // A panorama is bounded by its width.
    const scale = Math.min(1, height / bitmap.height, (2 * height) / bitmap.width);
    const canvas = new OffscreenCanvas(Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
    const context = canvas.getContext("2d");
    if (!context) return null;
    // What is transparent is white, as the model sees it.
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    return canvas.convertToBlob({ type: "image/jpeg", quality: 0.8 });
  }

  async arrange({ vectors, width }: FolderCalls["arrange"]["given"], job: Job) {
    const found = await arrange(vectors, width, turns(job));
    job.transfer.push(found.places.buffer, found.near.buffer, found.cosines.buffer);
    return found;
  }

  async groups({ vectors, width, count }: FolderCalls["groups"]["given"], job: Job) {
    return groups(vectors, width, count, turns(job));
  }

  async table({ rows, about }: FolderCalls["table"]["given"]) {
    return new Blob([tableOf(rows, about)], { type: "application/vnd.apache.parquet" });
  }
}

/** Reports progress, and yields now and then, so that a cancel message can be delivered. */
function turns({ signal, progress }: Job): Turn {
  let last = performance.now();
  return async (done, total) => {
    if (performance.now() - last < YIELD_EVERY) return;
    progress({ stage: "arrange", done, total });
    await pause();
    signal.throwIfAborted();
    last = performance.now();
  };
}

serve<FolderCalls>(new FolderHost(), folderCalls);

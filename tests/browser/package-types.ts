// A stranger's program, for the compiler alone: everything that the package exports, by its types.
import { ModelError, open, store, type Features, type Guess, type Head, type Model, type Progress, type View } from "internvit";

export async function all(photo: Blob, files: File[], signal: AbortSignal): Promise<string> {
  const model: Model = await open("dinov2-small", { device: "auto", dtype: "f16", signal, onProgress: ({ stage, done, total }: Progress) => console.log(stage, done / total) });
  await open(new URL("https://example.org/model/"));
  await open(files, { texts: true, threads: 2 });
  const one: Features = await model.features(photo, { layers: [6, 12], size: 448 });
  await model.features(new Uint8Array(4), { imageSize: 448 });
  const many: Features[] = await model.features([photo, "cat.png", { data: new Uint8ClampedArray(4), width: 1, height: 1 }]);
  const values: Float32Array = one.hidden(6).data;
  const [rows, columns]: readonly [number, number] = one.grid;
  const view: View = await model.look(photo, { view: "similarity", at: [220, 120] }, { edges: "smooth" });
  const image: ImageData = view.image;
  const guesses: Guess[] = await model.classifyWith(await model.text(["a cat"]), photo);
  await model.classifyWith("a cat", photo, { signal });
  await model.text("a cat");
  const head: Head = await model.teach(photo).point("cat", [220, 160]).photo(photo).point("wall", [4, 4]).layer(-1).method("walk").fit({ signal });
  const { labels, unsure } = await model.segmentWith(head, photo, { probabilities: true });
  // @ts-expect-error a misspelt option
  await model.features(photo, { imagesize: 448 });
  // @ts-expect-error no such view
  await model.look(photo, "pcb");
  model.close();
  for (const { name, complete } of await store.list()) if (!complete) await store.remove(name);
  try {
    await using closed = await open("owner/name");
    await closed.segment(photo);
  } catch (error) {
    if (error instanceof ModelError) return `${error.kind}: ${error.message}`;
  }
  return `${values.length} ${rows} ${columns} ${image.width} ${guesses.length} ${labels.length} ${unsure.length} ${many.length}`;
}

import { open } from "internvit";

const model = await open("bundled");
const seen = await model.look("coffee.png", { view: "similarity", layer: 12, centred: true, at: [325, 175] }, { size: 112, resize: "native", edges: "photograph" });
console.info(seen.data.shape, seen.image.width, seen.image.height); // seen.data.data are the values, seen.image the picture
model.close();

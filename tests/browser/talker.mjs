// A visitor who talks to the smallest model that speaks.
import { readFileSync } from "node:fs";
import { path } from "./site.mjs";
import { loaded, shown } from "./visitor.mjs";

export const FOLDER = "tests/golden/internvl";
export const CASE = JSON.parse(readFileSync(path(`${FOLDER}/chat_tiny/case.json`), "utf8"));

/** The files of the model that speaks, some of them left out or changed. */
export const files = (without = [], config = (text) => text) => ["config.json", "model.safetensors", "vocab.json", "merges.txt", "added_tokens.json", "tokenizer_config.json"]
  .filter((name) => !without.includes(name))
  .map((name) => {
    const bytes = readFileSync(path(`${FOLDER}/chat_tiny/${name}`));
    return { name, mimeType: "", buffer: name === "config.json" ? Buffer.from(config(bytes.toString())) : bytes };
  });

export async function talkTab(page) {
  await loaded(page);
  await page.locator("#photo-file").setInputFiles(path(`${FOLDER}/chat_tiny/image.png`));
  await shown(page);
  await page.getByRole("tab", { name: "Talk" }).click();
}

export const status = (page, text) => page.locator("#talk [data-status]", { hasText: text }).waitFor();
export const problem = (page, text) => page.locator("#talk [data-problem]", { hasText: text }).waitFor();
export const answers = (page) => page.locator("#talk .answer").allTextContents();
export const fold = (page) => page.locator("#talk .folded > summary", { hasText: "Answers" }).click();

export async function open(page, list = files()) {
  await page.getByLabel("Model to talk to").setInputFiles(list);
}

export async function ask(page, question) {
  await page.getByLabel("Your question").fill(question);
  await page.getByRole("button", { name: "Ask", exact: true }).click();
}

/** Text as it is shown: Markdown has blanks of its own. */
export const plain = (text) => text.replace(/\s+/g, " ").trim();

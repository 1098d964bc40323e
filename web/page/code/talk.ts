// A conversation as code: the command line's line that asks the same.

import type { Language } from "./code";
import { fileName, shellLine, type Line } from "./command";
import type { Dtype } from "../../shared/protocol";

/** What was said, and how it was asked. */
export interface Said {
  /** As the hub calls the model; empty for files of the visitor's own. */
  model: string;
  dtype: Dtype;
  /** The questions, and the photograph that was shown at each. */
  turns: readonly { question: string; photo: File | null }[];
  tiles: number;
  most: number;
  temperature: number;
  seed: number;
}

export function codeOfTalk(language: Language, said: Said): string {
  const mark = { shell: "#", python: "#", rust: "//", script: "//" }[language];
  const lines = [...beyond(said).map((line) => `${mark} ${line}`), lineOf(said)];
  return language === "shell" ? lines.join("\n") : [`${mark} In the command line’s words:`, ...lines.map((line) => (line.startsWith(mark) ? line : `${mark} ${line}`))].join("\n");
}

/** Several questions come from standard input, one in a line. */
function lineOf(said: Said): string {
  const questions = said.turns.map(({ question }) => question);
  if (questions.length === 1) return shellLine(chatLine(said, questions));
  const lines = questions.map((question) => question.replace(/\s*\n\s*/g, " "));
  return `${shellLine(["printf", "%s\\n", ...lines])} | ${shellLine(chatLine(said, []))}`;
}

function chatLine({ model, dtype, turns, tiles, most, temperature, seed }: Said, question: readonly string[]): Line {
  const photo = turns[0]?.photo;
  return [
    "internvit", "chat", "--model", model || "MODEL", "--dtype", dtype, "--max-tiles", String(tiles), "--max-new-tokens", String(most),
    ...(temperature > 0 ? ["--temperature", String(temperature), "--seed", String(seed)] : []),
    "--", ...(photo ? [fileName(photo.name)] : []), ...question,
  ];
}

/** What the line leaves open. */
function beyond({ model, turns }: Said): string[] {
  const first = turns[0]?.photo;
  const later = turns.findIndex(({ photo }) => photo && photo !== first);
  return [
    ...(model ? [] : ["MODEL is the folder of the model’s files."]),
    ...(later < 0 ? [] : [`Not in this line: the picture that question ${later + 1} is about.`]),
  ];
}

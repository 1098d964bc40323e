// Labels as code: what a whole picture shows, by the model's own classes or by the visitor's words.

import { OPENED, sourceOf, type Language } from "./code";
import { modelOf, shellLine, type Fed, type Line } from "./command";

/** What is asked of a picture; no words for the model's own classes. */
export interface Labelled extends Fed {
  photo: string;
  words: readonly string[];
  template: string;
}

export function codeOfLabels(language: Language, given: Labelled): string {
  switch (language) {
    case "shell":
      return shellLine(lineOf(given));
    case "rust":
      return `// In the command line’s words:\n// ${shellLine(lineOf(given))}`;
    case "python":
      return pythonOf(given);
    case "script":
      return scriptOf(given);
  }
}

function lineOf({ photo, words, template, ...fed }: Labelled): Line {
  const own = words.length > 0 ? [`--labels=${words.join(",")}`, `--template=${template}`] : [];
  return ["internvit", "classify", photo.startsWith("-") ? `./${photo}` : photo, ...modelOf(fed), ...own];
}

const textsOf = ({ words, template }: Labelled) => JSON.stringify(words.map((word) => template.replaceAll("{}", () => word)), null, 1).replace(/\n */g, " ").replace(/^\[ | \]$/g, (bracket) => bracket.trim());

function pythonOf(given: Labelled): string {
  const { photo, words, model } = given;
  const open = JSON.stringify(model || OPENED.python);
  const [texts, guesses] = words.length > 0
    ? [", texts=True", `model.classify_with(model.text(${textsOf(given)}), ${JSON.stringify(photo)})`]
    : ["", `model.classify(${JSON.stringify(photo)})`];
  return [
    "import internvit", "", `model = internvit.open(${open}${texts})`,
    `for guess in ${guesses}:`, '    print(f"{guess.probability:.3f} {guess.name}")',
  ].join("\n");
}

function scriptOf(given: Labelled): string {
  const { photo, words, model } = given;
  const [texts, guesses] = words.length > 0
    ? [", { texts: true }", `model.classifyWith(${textsOf(given)}, ${JSON.stringify(photo)})`]
    : ["", `model.classify(${JSON.stringify(photo)})`];
  return [
    'import { open } from "internvit";', "", `const model = await open(${sourceOf(model)}${texts});`,
    `for (const { name, probability } of await ${guesses}) console.info(probability.toFixed(3), name);`, "model.close();",
  ].join("\n");
}

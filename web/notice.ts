// What went wrong, aloud and in sight; and what has happened, for screen readers.

import { make } from "./dom";

export interface Notice {
  alarm(error: unknown): void;
  clear(): void;
  say(text: string): void;
}

export function notice(alert: HTMLElement, status: HTMLElement): Notice {
  const clear = () => alert.replaceChildren();
  return {
    clear,
    alarm(error) {
      const text = error instanceof Error ? error.message : String(error);
      const dismiss = make("button", { type: "button", textContent: "Dismiss", onclick: clear });
      alert.replaceChildren(make("span", { textContent: text }), dismiss);
    },
    say(text) {
      status.textContent = text;
    },
  };
}

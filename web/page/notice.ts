// Messages: failures in sight, and status updates for screen readers.

import { make } from "./dom";
import { spelled } from "../shared/spelled";

/** Longest message, in characters. */
const MOST = 2000;

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
      const text = spelled(error instanceof Error ? error.message : String(error), MOST);
      const dismiss = make("button", { type: "button", textContent: "Dismiss", onclick: clear });
      alert.replaceChildren(make("span", { textContent: text }), dismiss);
    },
    say(text) {
      status.textContent = spelled(text, MOST);
    },
  };
}

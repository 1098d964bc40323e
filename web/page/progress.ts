// The progress bar. The task that began last owns it.

import { part } from "./dom";
import { bytes, remaining } from "../shared/format";
import type { Progress } from "../shared/protocol";
import { spelled } from "../shared/spelled";

/** Longest title, in characters. */
const MOST = 300;
/** How often the bar is drawn at most, in milliseconds: drawing takes the processor from the model. */
const DRAW_EVERY = 200;

export interface Work {
  report(progress: Progress): void;
  end(): void;
}

export interface ProgressBar {
  begin(title: string, cancel: () => void): Work;
}

export function progressBar(root: HTMLElement): ProgressBar {
  const label = part(root, "label", HTMLLabelElement);
  const bar = part(root, "progress", HTMLProgressElement);
  const button = part(root, "button", HTMLButtonElement);
  let owner: Work | null = null;

  return {
    begin(title: string, cancel: () => void): Work {
      title = spelled(title, MOST);
      label.textContent = `${title} …`;
      bar.removeAttribute("value");
      button.onclick = cancel;
      root.hidden = false;
      let stage = "";
      let begin = 0;
      let drawn = -Infinity;
      const work: Work = {
        report(progress) {
          if (owner !== work) return;
          const now = performance.now();
          if (stage !== progress.stage) [stage, begin, drawn] = [progress.stage, now, -Infinity];
          if (now - drawn < DRAW_EVERY && progress.done < progress.total) return;
          drawn = now;
          label.textContent = `${title}: ${describe(progress)}${left(progress, now - begin)}`;
          if (progress.total > 0) bar.value = progress.done / progress.total;
        },
        end() {
          if (owner === work) root.hidden = true;
        },
      };
      owner = work;
      return work;
    },
  };
}

function describe({ stage, done, total }: Progress): string {
  if (stage === "measure") return `${Math.round((100 * done) / total)} %`;
  if (stage === "encode") return `block ${done} of ${total}`;
  const amount = total > 0 ? `${bytes(done)} of ${bytes(total)}` : bytes(done);
  return `${amount} ${stage === "fetch" ? "fetched" : stage === "check" ? "checked" : "prepared"}`;
}

/** The remaining time, once it can be estimated. */
function left({ done, total }: Progress, elapsed: number): string {
  if (elapsed < 1000 || done <= 0 || done >= total) return "";
  return `, about ${remaining((elapsed * (total - done)) / done / 1000)} left`;
}

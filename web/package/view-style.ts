// How the embed looks: a sheet that its shadow holds, as a policy may forbid styles in the page.

export function sheet(): CSSStyleSheet {
  const made = new CSSStyleSheet();
  made.replaceSync(`
    :host { display: inline-block; max-width: 100%; vertical-align: top; font: 0.9375rem/1.4 system-ui, sans-serif; }
    :host([hidden]) { display: none; }
    * { box-sizing: border-box; }
    [hidden] { display: none !important; }
    .stage { position: relative; display: block; overflow: hidden; min-width: 12rem; min-height: 8rem; border-radius: 0.5rem; background: #2a2722; }
    img { display: block; max-width: 100%; height: auto; }
    img:not([data-there]) { visibility: hidden; }
    .view { position: absolute; inset: 0; clip-path: inset(0 0 0 var(--at)); }
    canvas { position: absolute; }
    input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; appearance: none; cursor: ew-resize; touch-action: pan-y; }
    input::-webkit-slider-thumb { appearance: none; width: 1px; height: 1px; }
    input::-moz-range-thumb { width: 1px; height: 1px; border: 0; }
    .handle { position: absolute; inset: 0 auto 0 var(--at); width: 2.4rem; margin-left: -1.2rem; display: grid; place-items: center; pointer-events: none; }
    .handle::before { content: ""; position: absolute; inset: 0 auto; width: 3px; background: #fff; box-shadow: 0 0 6px rgb(0 0 0 / 60%); }
    .handle span { position: relative; display: grid; place-items: center; width: 2.4rem; height: 2.4rem; border-radius: 50%; background: #fff; color: #1d1c19; font-weight: 700; box-shadow: 0 1px 8px rgb(0 0 0 / 50%); }
    input:focus-visible ~ .handle span { outline: 3px solid #ff8c50; outline-offset: -1px; }
    p { position: absolute; inset: auto 0.75rem 0.75rem; width: fit-content; max-width: calc(100% - 1.5rem); margin: 0; padding: 0.35rem 0.75rem; border-radius: 1.2rem; background: rgb(20 19 17 / 85%); color: #f1ede4; overflow-wrap: anywhere; }
    p.alarm { position: static; contain: inline-size; width: auto; max-width: none; margin: 0.75rem; border-radius: 0.5rem; background: #fdeae6; color: #9c1c1c; }
  `);
  return made;
}

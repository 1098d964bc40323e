// A worker that is in for trouble when a test says so.

/** Runs at the beginning of the worker's script: what goes wrong when the test says so. */
export function trouble() {
  const channel = new BroadcastChannel("trouble");
  const devices = [];
  const request = globalThis.GPUAdapter?.prototype.requestDevice;
  if (request) {
    GPUAdapter.prototype.requestDevice = async function (...given) {
      const device = await request.apply(this, given);
      devices.push(device);
      return device;
    };
  }
  const helpers = [];
  self.Worker = class extends Worker {
    constructor(...given) {
      super(...given);
      helpers.push(this);
    }
  };
  const post = self.postMessage.bind(self);
  const read = Blob.prototype.arrayBuffer;
  const kinds = {
    /** Answers, from the next on, that the device is lost. */
    lose: (times) => (self.postMessage = (message, options) => {
      if (!("answer" in message) || times-- <= 0) return post(message, options);
      post({ id: message.id, failure: "the graphics device was lost: as the test wants it", name: "Lost" });
    }),
    destroy: () => devices.forEach((device) => device.destroy()),
    fall: () => helpers[0].dispatchEvent(new Event("error")),
    die: () => setTimeout(() => { throw new Error("as the test wants it"); }),
    trap: () => (Blob.prototype.arrayBuffer = async function () {
      Blob.prototype.arrayBuffer = read;
      throw new WebAssembly.RuntimeError("unreachable");
    }),
    garbage: () => (self.postMessage = (message) => post({ ...message, id: message.id + 1000 })),
  };
  channel.onmessage = ({ data: [kind, given] }) => {
    kinds[kind]?.(given);
    channel.postMessage("done");
  };
}

/** Puts functions before the worker's script, each called there. */
export function before(page, ...functions) {
  return page.route("**/worker-*.js", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: functions.map((one) => `(${one})();`).join("") + (await response.text()) });
  });
}

/** Makes trouble of a kind, and waits until it is made. */
export const cause = (page, kind, given = null) => page.evaluate(([kind, given]) => new Promise((done) => {
  const channel = new BroadcastChannel("trouble");
  channel.onmessage = () => {
    channel.close();
    done();
  };
  channel.postMessage([kind, given]);
}), [kind, given]);

/** Makes trouble at the first block of a photograph's encoding. The page itself watches: a test that polls can miss it. */
export const causeWhile = (page, kind, photograph) => page.evaluate(([kind, photograph]) => new Promise((done) => {
  const watch = new MutationObserver(() => {
    const said = document.querySelector("#progress label").textContent;
    if (!said.includes(photograph) || !/: block \d+ of/.test(said)) return;
    watch.disconnect();
    const channel = new BroadcastChannel("trouble");
    channel.onmessage = () => {
      channel.close();
      done(said);
    };
    channel.postMessage([kind, null]);
  });
  watch.observe(document.querySelector("#progress label"), { childList: true });
}), [kind, photograph]);

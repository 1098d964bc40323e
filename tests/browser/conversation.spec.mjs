// What was said stays: questions that fail, models that do not open, answers that break off, workers that stop.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openSite, path, visit } from "./site.mjs";
import { answers, ask, CASE, files, fold, open, plain, problem, status, talkTab } from "./talker.mjs";
import { drawn, shown } from "./visitor.mjs";

const site = openSite();
const turns = (page) => page.locator("#talk .turns > li:visible");
const asked = (page) => turns(page).locator(".asked").allTextContents();
const heard = (page) => page.evaluate(() => globalThis.heard);
const press = (page, at, name) => turns(page).nth(at).getByRole("button", { name }).click();

/** Runs before the page's scripts: keeps what is asked of the model's worker, how far that is, and of its answers prompts and
 * what it saw. It dies when weights are read, if the test says so. */
function listen() {
  globalThis.heard = [];
  self.Worker = class extends Worker {
    constructor(...given) {
      super(...given);
      let dead = false;
      this.addEventListener("message", (event) => {
        const { data } = event;
        if (dead) return event.stopImmediatePropagation();
        if (globalThis.dying && data.progress?.stage === "load") {
          dead = true;
          setTimeout(() => {
            this.terminate();
            this.dispatchEvent(new Event("error"));
          });
        }
        // The photograph's worker tells how far it is too.
        if (data.progress && /talk/.test(given[0])) globalThis.heard.push(["progress", data.progress]);
        if (Array.isArray(data.answer) && typeof data.answer[0] === "number") globalThis.heard.push(["ids", data.answer]);
        else if (data.answer?.tiles) globalThis.heard.push(["seen", data.answer]);
      });
    }
    postMessage(message, ...given) {
      if (message.call) globalThis.heard.push([message.call, message.given]);
      return super.postMessage(message, ...given);
    }
  };
}

/** Runs at the beginning of the worker's script: the module's function that looks at photographs, or for the next token at one of them, breaks if the test says so. */
function breaking() {
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async (module, imports) => {
    const { exports } = await instantiate(module, imports);
    const { chat_next: next, chat_say: say } = exports;
    const broken = () => Promise.reject(new Error("as the test wants it"));
    const kinds = {
      fail: broken,
      slow: () => new Promise((done) => { setTimeout(done, 150); }),
      trap: () => { throw new WebAssembly.RuntimeError("unreachable"); },
      /** Behind an await it is nobody's error, and the promise stays open. */
      later: () => new Promise(() => { queueMicrotask(() => { throw new WebAssembly.RuntimeError("unreachable"); }); }),
      memory: () => {
        WebAssembly.Memory.prototype.grow = () => { throw new RangeError("full"); };
        return kinds.later();
      },
    };
    const chat_next = (...given) => {
      if (!self.trouble || self.trouble.after-- > 0) return next(...given);
      return self.trouble.kind === "slow" ? kinds.slow().then(() => next(...given)) : kinds[self.trouble.kind]();
    };
    const chat_say = (...given) => (self.trouble?.kind === "say" ? broken() : say(...given));
    return { instance: { exports: { ...exports, chat_next, chat_say } }, module };
  };
}

async function visitTalker(t, config) {
  const page = await visit(site, t, { refused: /as the test wants it|unreachable/, prepare: async (page) => {
    await page.addInitScript(listen);
    await page.route("**/talk-*.js", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: `(${breaking})();(${speaking})();${await response.text()}` });
    });
  } });
  await talkTab(page);
  await open(page, files([], config));
  await status(page, "The model is loaded");
  await fold(page);
  await page.getByLabel("Tiles at most").fill("6");
  await page.getByLabel("Tokens at most").fill("5");
  return page;
}

/** Waits until so many answers have ended: what the model did by itself is asked behind each. */
const ended = (page, count) => page.waitForFunction((count) => globalThis.heard.filter(([call]) => call === "notes").length === count, count);

/** Asks, and waits for the answer. */
async function answered(page, question) {
  const before = await turns(page).count();
  await ask(page, question);
  await page.waitForFunction((count) => document.querySelectorAll("#talk .turns > li").length === count, before + 1);
  await status(page, "Answered");
}

/** Runs at the beginning of the worker's script: an answer is what the test wants. */
function speaking() {
  const post = self.postMessage.bind(self);
  const said = (message) => (self.words !== undefined && message.answer?.text !== undefined ? { ...message, answer: { ...message.answer, text: self.words, ended: true } } : message);
  self.postMessage = (message, options) => post(said(message), options);
}

/** The worker of the model. */
const worker = (page) => page.workers().find((one) => /\/talk-/.test(one.url()));

test("a question that fails in the place of an earlier one leaves the conversation as it was", async (t) => {
  const page = await visitTalker(t, (text) => text.replace('"max_position_embeddings": 32768', '"max_position_embeddings": 400'));
  for (const question of [CASE.question, "Why?", "Who?"]) await answered(page, question);
  const before = [await asked(page), await answers(page)];
  await press(page, 0, "Edit");
  const long = "word ".repeat(300).trim();
  await ask(page, long);
  await problem(page, "the model takes 400");
  assert.deepEqual([await asked(page), await answers(page)], before);
  assert.equal(await page.getByLabel("Your question").inputValue(), long);
  // It is still the first that is edited, and the model knows all that was said before the last.
  await press(page, 2, "Edit");
  await page.getByRole("button", { name: "Ask", exact: true }).click();
  await ended(page, 4);
  await status(page, "Answered");
  assert.deepEqual([await asked(page), await answers(page)], before);
  assert.ok((await heard(page)).some(([call, ids]) => call === "remember" && ids.length > CASE.input_ids.length));
  // A photograph that cannot be looked at, where it was before.
  await worker(page).evaluate(() => (self.trouble = { kind: "say" }));
  await press(page, 0, "Ask again");
  await problem(page, "as the test wants it");
  assert.deepEqual([await asked(page), await answers(page)], before);
  await worker(page).evaluate(() => (self.trouble = null));
  await answered(page, "And?");
  assert.equal((await asked(page)).length, 4);
});

/** How far something was, from 0 to 1, each time it was told. */
const parts = async (page, stage) => (await heard(page)).filter(([call, how]) => call === "progress" && how.stage === stage).map(([, { done, total }]) => done / total);

test("a question without room is refused before its picture is looked at", async (t) => {
  const page = await visitTalker(t, (text) => text.replace('"max_position_embeddings": 32768', '"max_position_embeddings": 400'));
  // All of it is asked, and stays to be shortened.
  const long = "word ".repeat(20_000).trim();
  await ask(page, long);
  await problem(page, /^The conversation would have \d+ tokens with its pictures, the model takes 400: begin a new one, or cut pictures into fewer tiles\.?$/i);
  assert.deepEqual(await parts(page, "encode"), []);
  assert.equal((await page.getByLabel("Your question").inputValue()).length, long.length);
  await answered(page, CASE.question);
  assert.ok((await parts(page, "encode")).includes(1));
});

for (const [again, name] of [[false, "is read"], [true, "is read by a model that was started again"]]) {
  test(`Stop is heard while a long question ${name}, and the conversation goes on`, async (t) => {
    const page = await visitTalker(t);
    const short = [CASE.question, "Why?"];
    for (const question of short) await answered(page, question);
    const before = await answers(page);
    if (again) {
      await worker(page).evaluate(() => (self.trouble = { kind: "trap", after: 0 }));
      await ask(page, "Hm?");
      await status(page, "The next question starts the model again.");
    }
    await page.evaluate(() => {
      globalThis.heard = [];
      const status = document.querySelector("#talk [data-status]");
      const watch = new MutationObserver(() => {
        if (!status.textContent.startsWith("Reading")) return;
        watch.disconnect();
        document.querySelector("#talk [data-stop]").click();
      });
      watch.observe(status, { childList: true });
    });
    const long = "word ".repeat(6000).trim();
    await ask(page, long);
    await status(page, "Stopped.");
    const read = await parts(page, "read");
    assert.ok(read.length > 0 && read.every((part) => part < 1), `${read}`);
    assert.deepEqual([await asked(page), await answers(page)], [short, before]);
    assert.equal((await page.getByLabel("Your question").inputValue()).length, long.length);
    await answered(page, "Who?");
    const goneOn = await answers(page);
    assert.deepEqual((await heard(page)).filter(([call]) => call === "load").length, again ? 1 : 0);
    // As if it had never been asked.
    await page.getByRole("button", { name: "New conversation" }).click();
    await page.waitForFunction(() => document.querySelectorAll("#talk .turns > li").length === 0);
    for (const question of [...short, "Who?"]) await answered(page, question);
    assert.deepEqual(await answers(page), goneOn);
  });
}

test("Stop is heard while a photograph's tiles are looked at, and the question was not asked", async (t) => {
  const page = await visitTalker(t);
  // Nothing else waits for the event loop: what is told of a tile is heard before the next.
  await worker(page).evaluate(() => {
    let now = 0;
    performance.now = () => (now += 1000);
  });
  await page.evaluate(() => {
    const status = document.querySelector("#talk [data-status]");
    const watch = new MutationObserver(() => {
      if (!/^Looking: \d/.test(status.textContent)) return;
      watch.disconnect();
      document.querySelector("#talk [data-stop]").click();
    });
    watch.observe(status, { childList: true });
  });
  // A photograph of many tiles, so that there is time to be heard.
  await page.locator("#photo-file").setInputFiles(path("www/samples/chelsea.png"));
  await page.locator("#facts", { hasText: "chelsea.png" }).waitFor({ state: "attached" });
  await shown(page);
  await page.getByLabel("Tiles at most").fill("256");
  await ask(page, "Why?");
  await status(page, "Stopped.");
  const looked = await parts(page, "encode");
  assert.ok(looked.length > 0 && looked.every((part) => part < 1), `${looked}`);
  assert.deepEqual([await asked(page), await page.getByLabel("Your question").inputValue()], [[], "Why?"]);
  await page.locator("#photo-file").setInputFiles(path("tests/golden/internvl/chat_tiny/image.png"));
  await page.locator("#facts", { hasText: "image.png" }).waitFor({ state: "attached" });
  await shown(page);
  await page.getByLabel("Tiles at most").fill("6");
  await page.getByLabel("Tokens at most").fill("100");
  await answered(page, CASE.question);
  assert.deepEqual((await answers(page)).map(plain), [plain(CASE.answer)]);
});

test("a model that cannot be opened leaves the one before, and the conversation with it", async (t) => {
  const page = await visitTalker(t);
  await answered(page, CASE.question);
  const told = await page.locator("#talk [data-model]").textContent();
  for (const [list, said] of [
    [files(["vocab.json", "merges.txt"]), "wants its tokenizer.json"],
    [files([], (text) => text.replace('"hidden_size": 48', '"hidden_size": 60')), "model.safetensors"],
  ]) {
    await open(page, list);
    await problem(page, said);
    assert.equal(await page.locator("#talk [data-model]").textContent(), told);
  }
  await page.evaluate(() => (globalThis.heard = []));
  await answered(page, "Why?");
  assert.deepEqual((await heard(page)).map(([call]) => call).filter((call) => ["open", "load", "see", "remember"].includes(call)), []);
  assert.equal(await turns(page).count(), 2);
  // It goes when the other's weights are read; where these fail it is started again.
  await page.evaluate(() => (globalThis.dying = true));
  await open(page);
  await problem(page, "The model stopped unexpectedly");
  await status(page, "The next question starts the model again.");
  assert.equal(await page.locator("#talk [data-model]").textContent(), told);
  await page.evaluate(() => ([globalThis.dying, globalThis.heard] = [false, []]));
  const before = await answers(page);
  await press(page, 1, "Ask again");
  await ended(page, 1);
  assert.deepEqual((await heard(page)).map(([call]) => call).filter((call) => ["load", "see", "remember"].includes(call)), ["load", "see", "remember"]);
  assert.deepEqual(await answers(page), before);
});

for (const [kind, said] of [
  ["fail", "as the test wants it"], ["trap", "The model stopped unexpectedly"], ["later", "The model stopped unexpectedly"],
  ["memory", "needed more memory than a page has"],
]) {
  test(`an answer that breaks off (${kind}) keeps its words, and the conversation goes on`, async (t) => {
    const page = await visitTalker(t);
    await answered(page, CASE.question);
    await answered(page, "Why?");
    await answered(page, "Who?");
    const before = await answers(page);
    await press(page, 1, "Edit");
    await worker(page).evaluate((kind) => (self.trouble = { kind, after: 2 }), kind);
    await page.getByRole("button", { name: "Ask", exact: true }).click();
    await problem(page, said);
    // The new answer is there as far as it came.
    assert.equal(await turns(page).count(), 2);
    const line = await turns(page).nth(1).locator(".hint").textContent();
    assert.match(line, new RegExp(`^2 tokens.*Stopped: .*${said}`));
    assert.ok(before[1].startsWith((await answers(page))[1].trim()));
    if (kind !== "fail") await status(page, "The next question starts the model again.");
    else await worker(page).evaluate(() => (self.trouble = null));
    await page.evaluate(() => (globalThis.heard = []));
    await answered(page, "Who?");
    assert.equal((await heard(page)).filter(([call]) => call === "load").length, kind === "fail" ? 0 : 1);
    // As it is said again, so it was said: the same question in the same place has the same answer.
    const goneOn = await answers(page);
    await press(page, 1, "Edit");
    await page.getByRole("button", { name: "Ask", exact: true }).click();
    await page.waitForFunction(() => document.querySelectorAll("#talk .turns > li").length === 2);
    await status(page, "Answered");
    assert.deepEqual(await answers(page), before.slice(0, 2));
    assert.equal(goneOn.length, 3);
    assert.deepEqual((await answers(page)).map(plain)[0], plain(before[0]));
  });
}

test("an answer that is cut says why", async (t) => {
  const page = await visitTalker(t, (text) => text.replace('"max_position_embeddings": 32768', `"max_position_embeddings": ${CASE.input_ids.length + 3}`));
  await ask(page, CASE.question);
  await status(page, /^Answered in 3 tokens.* It is cut: the model takes no more tokens/);
  await page.getByLabel("Tokens at most").fill("2");
  await press(page, 0, "Ask again");
  await status(page, /^Answered in 2 tokens.* It is cut: under Answers it may have no more/);
  await page.getByRole("button", { name: "New conversation" }).click();
  await open(page);
  await status(page, "The model is loaded");
  await page.getByLabel("Tokens at most").fill("20");
  await ask(page, CASE.question);
  await status(page, `Answered in ${CASE.generated.length} tokens`);
  assert.doesNotMatch(await page.locator("#talk [data-status]").textContent(), /cut/);
});

/** The question's tokens, and those before and behind them. */
const WHAT = [313, 374, 399, 279, 260, 280, 30];
const [HEAD, TAIL] = [CASE.input_ids.slice(0, CASE.input_ids.lastIndexOf(313)), CASE.input_ids.slice(CASE.input_ids.lastIndexOf(313) + WHAT.length)];
const prompts = async (page) => (await heard(page)).filter(([call]) => call === "ids").map(([, ids]) => ids);

test("another question, another answer and another photograph have the template's prompts", async (t) => {
  const page = await visitTalker(t);
  await page.getByLabel("Tokens at most").fill("20");
  await answered(page, CASE.question);
  assert.deepEqual(await prompts(page), [CASE.input_ids]);
  await press(page, 0, "Edit");
  await ask(page, "What is shown?");
  await ended(page, 2);
  assert.deepEqual((await prompts(page))[1], [...HEAD, ...WHAT.slice(0, 3), 30, ...TAIL]);
  assert.deepEqual(await asked(page), ["What is shown?"]);
  await press(page, 0, "Edit");
  await ask(page, CASE.question);
  await ended(page, 3);
  assert.deepEqual((await answers(page)).map(plain), [plain(CASE.answer)]);
  // The same question in another draw.
  await page.getByLabel("Temperature").fill("1.5");
  await press(page, 0, "Ask again");
  await ended(page, 4);
  assert.deepEqual((await prompts(page))[3], CASE.input_ids);
  const draws = (await heard(page)).filter(([call]) => call === "ask").map(([, { seed, temperature }]) => [seed, temperature]);
  assert.deepEqual([draws[2], draws[3]], [[0, 0], [1, 1.5]]);
  assert.notDeepEqual((await answers(page)).map(plain), [plain(CASE.answer)]);
  await page.getByLabel("Temperature").fill("0");
  await press(page, 0, "Ask again");
  await ended(page, 5);
  assert.deepEqual((await answers(page)).map(plain), [plain(CASE.answer)]);

  // Behind an answer that ended by itself comes what the template has there, with the other photograph.
  await page.locator("#photo-file").setInputFiles(path("www/samples/chelsea.png"));
  await page.locator("#facts", { hasText: "chelsea.png" }).waitFor({ state: "attached" });
  await shown(page);
  await answered(page, CASE.question);
  const [, { tokens }] = (await heard(page)).findLast(([call]) => call === "seen");
  const user = CASE.input_ids.slice(CASE.input_ids.lastIndexOf(421, CASE.input_ids.indexOf(426)), CASE.input_ids.indexOf(428));
  assert.deepEqual((await prompts(page))[5], [198, ...user, ...Array(tokens).fill(428), 427, 198, ...WHAT, ...TAIL]);
  // A word of the second answer is looked up on the photograph that is shown.
  for (const [name, number] of [["chelsea.png", 1], ["image.png", 0]]) {
    if (number === 0) await page.getByRole("button", { name: /image\.png/ }).first().click();
    await page.locator("#facts", { hasText: name }).waitFor({ state: "attached" });
    await shown(page);
    await page.evaluate(() => (globalThis.heard = []));
    await page.getByLabel("Attention in layer").selectOption(String(1 + number));
    await turns(page).nth(1).locator(".word").nth(number).click();
    await page.locator("#talk [data-looked]", { hasText: "of its attention went to this picture" }).waitFor();
    const looks = (await heard(page)).filter(([call]) => call === "look").map(([, { photo }]) => photo);
    assert.ok(looks.length > 0 && looks.every((photo) => photo === number), `${name}: ${looks}`);
  }
});

/** What a model writes, and the elements that are made of it. */
const WRITTEN = [
  ["1. a\n\n2. b\n\n3. c", '<ol start="1"><li>a</li><li>b</li><li>c</li></ol>'],
  ["1. A\n   - x\n   - y\n2. B", '<ol start="1"><li>A<ul><li>x</li><li>y</li></ul></li><li>B</li></ol>'],
  ["1. A\n- x\n2. B", '<ol start="1"><li>A</li></ol><ul><li>x</li></ul><ol start="2"><li>B</li></ol>'],
  ["- a\n\n  more\n- b\n\nend", "<ul><li>a<p>  more</p></li><li>b</li></ul><p>end</p>"],
  ["***x*** and **a *b* c** and *d*", "<p><strong><em>x</em></strong> and <strong>a <em>b</em> c</strong> and <em>d</em></p>"],
  ["2 * 3 * 4 ** 5", "<p>2 * 3 * 4 ** 5</p>"],
  ["1. A\n   ```js\n   <b>x\n   ```\n2. B", '<ol start="1"><li>A</li></ol><pre><code>   &lt;b&gt;x</code></pre><ol start="2"><li>B</li></ol>'],
  ["## T\ntext\nmore `*c*`", "<p><strong>T</strong></p><p>text<br>more <code>*c*</code></p>"],
  ["<img src=x onerror=alert(1)> **<script>1</script>**", "<p>&lt;img src=x onerror=alert(1)&gt; <strong>&lt;script&gt;1&lt;/script&gt;</strong></p>"],
  ["[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>"],
];

test("what a model writes is shown in its forms, and never read as HTML", async (t) => {
  const page = await visitTalker(t);
  page.on("dialog", () => assert.fail("a script ran"));
  for (const [text, expected] of WRITTEN) {
    await worker(page).evaluate((text) => (self.words = text), text);
    await page.getByRole("button", { name: "New conversation" }).click();
    await page.waitForFunction(() => document.querySelectorAll("#talk .turns > li").length === 0);
    await answered(page, "?");
    const made = await page.locator("#talk .answer").evaluate((answer) => answer.innerHTML.replace(/<\/?span[^>]*>/g, ""));
    assert.equal(made, expected);
  }
});

test("what each word looked at is painted while the answer is written", async (t) => {
  const page = await visitTalker(t);
  await page.getByLabel("Tokens at most").fill("12");
  await page.locator("#talk-live").check();
  await worker(page).evaluate(() => { self.trouble = { kind: "slow", after: 0 }; });
  await page.evaluate(() => {
    const [stop, said, canvas] = ["#talk [data-stop]", "#talk [data-looked]", "#frame canvas"].map((name) => document.querySelector(name));
    const bare = canvas.toDataURL();
    globalThis.painted = [];
    setInterval(() => {
      const picture = canvas.toDataURL();
      if (stop.checkVisibility() && said.textContent && picture !== bare) globalThis.painted.push([said.textContent, picture]);
    }, 40);
  });
  await ask(page, CASE.question);
  await status(page, "Answered in");
  const painted = await page.evaluate(() => globalThis.painted);
  for (const at of [0, 1]) assert.ok(new Set(painted.map((one) => one[at])).size > 2, `${painted.map(([text]) => text)}`);
  assert.match(painted[0][0], /^“.*”: [\d.]+ % of its attention went to this picture, the rest to words\.$/s);
});

test("a box that a model writes is drawn around its place of the picture", async (t) => {
  const page = await visitTalker(t);
  await drawn(page);
  const before = await page.evaluate(() => document.querySelector("#frame canvas").toDataURL());
  await page.evaluate(() => {
    const canvas = document.querySelector("#frame canvas");
    globalThis.before = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  });
  await worker(page).evaluate(() => (self.words = "<ref>it</ref><box>[600, 700, 200, 300]</box>"));
  await answered(page, "Where?");
  await page.locator("#talk .boxes li", { hasText: "it" }).waitFor();
  await page.waitForFunction((before) => document.querySelector("#frame canvas").toDataURL() !== before, before);
  await drawn(page);
  // Where the picture is another than before, in parts of its sides.
  const [count, ...ends] = await page.evaluate(() => {
    const canvas = document.querySelector("#frame canvas");
    const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const found = [...Array(width * height).keys()].filter((at) => [0, 1, 2].some((channel) => Math.abs(data[4 * at + channel] - globalThis.before[4 * at + channel]) > 20));
    const [xs, ys] = [found.map((at) => ((at % width) + 0.5) / width), found.map((at) => (Math.floor(at / width) + 0.5) / height)];
    return [found.length / (width * height), Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  });
  // Its sides alone, 16 % of the picture's area are within.
  assert.ok(count > 0.003 && count < 0.08, `${count}`);
  for (const [at, side] of [0.2, 0.3, 0.6, 0.7].entries()) assert.ok(Math.abs(ends[at] - side) < 0.03, `${ends}`);
});

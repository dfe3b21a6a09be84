/**
 * Painting as it changes: when to ask the server, and which of its answers to show.
 *
 * A change that comes while another is painted waits for that one's first preview, so that there is always something
 * to see, however fast the strokes follow; the last change is always painted in full.
 */

import { Refusal, bytes, painted } from "./api.js";

/** @typedef {import("./order.js").Order} Order */
/** @typedef {import("./api.js").Line} Line */

/**
 * A request under way; `started` is the line of that event, `size` the shorter side where it is not the native one.
 * @typedef {{change: number, seen: boolean, abort: AbortController, started: Line | null, size: number}} Run
 *
 * An image and what it was made of.
 * @typedef {object} Result
 * @property {"paint" | "edit"} task
 * @property {Uint8Array} image the PNG file, as the server sent it
 * @property {Uint8Array} body the PNG file of the guide, or of the strokes
 * @property {{[field: string]: any}} recipe
 * @property {{[field: string]: string}} files of an edit, the server's names for strokes and mask
 * @property {number} seed
 * @property {number} t0
 * @property {number} seconds
 */

const WHOLE = 0.08; // seconds: images that are faster are awaited during a stroke, slower ones for a preview only
const RETRIES = [1000, 2000, 4000]; // milliseconds; the last for good
const BUSY = 429; // the status while too many others paint
const FORGOTTEN = 410; // of a picture

/** Sends "changed", "started", "preview", "painted", "idle", "problem", "stopped", "gone" and "back". */
export class Live extends EventTarget {
  /**
   * @param {import("./order.js").Orders} orders
   * @param {string} session
   */
  constructor(orders, session) {
    super();
    this.orders = orders;
    this.session = session;
    this.on = false; // whether changes are painted by themselves
    this.drawing = false; // a pen is down, or a slider is held
    this.change = 0; // the last one
    this.asked = 0; // the last one that was sent
    this.finished = 0; // the last one that was painted in full, or refused
    this.shown = 0; // the one that is seen
    this.preparing = false;
    this.failures = 0; // in a row, to reach the server
    this.resting = false; // until it is tried again
    this.speed = Infinity; // seconds that an image takes
    /** @type {Set<Run>} */
    this.runs = new Set();
    document.addEventListener("visibilitychange", () => this.#next());
  }

  /** @returns {boolean} whether the image that is seen belongs to the painting as it stands */
  get current() {
    return this.finished === this.change && this.shown === this.change;
  }

  /** Something changed. */
  touch() {
    this.change += 1;
    this.#tell("changed");
    this.#next();
  }

  /**
   * Paint what there is, whether that happens by itself or not.
   * @param {number} [size] shorter side in pixels; larger ones wait while anybody paints
   */
  async paint(size = 0) {
    this.change += 1;
    await this.#ask(size);
  }

  /**
   * Change what is known to belong to the image that is seen.
   * @param {() => void} act
   */
  adopt(act) {
    const { on } = this;
    this.on = false;
    act();
    this.on = on;
    this.asked = this.finished = this.shown = this.change;
  }

  /** @param {boolean} drawing whether more changes are about to come */
  draw(drawing) {
    this.drawing = drawing;
    this.#next();
  }

  /** @param {boolean} on */
  turn(on) {
    this.on = on;
    this.#next();
  }

  /** Leave what is being painted. */
  stop() {
    this.asked = this.finished = this.change;
    for (const run of this.runs) run.abort.abort();
    this.#tell("stopped");
  }

  #next() {
    if (!this.on || this.asked === this.change || document.hidden || this.preparing || this.failures) return;
    const awaited = [...this.runs].some((run) => !run.seen || this.speed < WHOLE);
    if (!(this.drawing && awaited)) this.#ask();
  }

  /** @param {number} [size] */
  async #ask(size = 0) {
    const { change } = this;
    this.asked = change;
    this.preparing = true;
    for (const run of this.runs) if (run.size) run.abort.abort(); // it would be seen no more
    try {
      const order = await this.orders.current().finally(() => (this.preparing = false));
      if (order) await this.#run(order, change, size);
      else {
        this.shown = change; // what is under way belongs to something else
        this.#finish(change, "idle");
      }
    } catch (error) {
      await this.#failed(error, change);
    }
    this.#next();
  }

  /**
   * @param {Order} order
   * @param {number} change
   * @param {number} size
   */
  async #run(order, change, size) {
    /** @type {Run} */
    const run = { change, seen: false, abort: new AbortController(), started: null, size };
    this.runs.add(run);
    this.#next(); // what came while the order was prepared
    let last = "";
    try {
      /** @type {import("./api.js").Query} */
      const query = { ...order.query, session: this.session, priority: size ? "idle" : "live" };
      if (size) query.size = size;
      for await (const line of painted(order.task, order.body, query, run.abort.signal)) {
        last = line.event;
        this.#reached();
        if (last === "error") throw new Refusal(500, line.message);
        if (change >= this.shown) this.#read(line, run, order); // else something newer is seen already
      }
    } finally {
      this.runs.delete(run);
    }
    if (last !== "painted" && last !== "superseded") throw new TypeError("the answer broke off");
  }

  /**
   * @param {Line} line
   * @param {Run} run
   * @param {Order} order
   */
  #read(line, run, order) {
    const { change } = run;
    if (line.event === "started") {
      run.started = line;
      this.#tell("started", line);
    }
    if (line.event !== "preview" && line.event !== "painted") return;
    run.seen = true;
    this.shown = change;
    if (line.event === "preview") this.#tell("preview", { ...run.started, ...line, image: bytes(line.image) });
    else {
      if (!run.size) this.speed = line.seconds;
      this.#finish(change, "painted", resultOf(line, order, run.started?.files));
    }
    this.#next();
  }

  /**
   * @param {unknown} error
   * @param {number} change
   */
  async #failed(error, change) {
    if (error instanceof DOMException && error.name === "AbortError") return;
    if (error instanceof Refusal && error.status !== BUSY) {
      if (error.status === FORGOTTEN && (await this.orders.restore())) this.asked = Math.min(this.asked, change - 1);
      else this.#finish(change, "problem", error.message);
      return;
    }
    this.failures += 1;
    if (this.failures === 1) this.#tell("gone", error);
    if (this.resting) return;
    this.resting = true;
    setTimeout(() => this.#again(), RETRIES[Math.min(this.failures, RETRIES.length) - 1]);
  }

  /** Ask once more, for the painting as it has become. */
  #again() {
    this.resting = false;
    if (document.hidden) document.addEventListener("visibilitychange", () => this.#again(), { once: true });
    else this.#ask();
  }

  #reached() {
    if (!this.failures) return;
    this.failures = 0;
    this.#tell("back");
  }

  /**
   * @param {number} change
   * @param {string} event
   * @param {unknown} [detail]
   */
  #finish(change, event, detail) {
    this.finished = Math.max(this.finished, change);
    this.#tell(event, detail);
  }

  /**
   * @param {string} event
   * @param {unknown} [detail]
   */
  #tell(event, detail) {
    this.dispatchEvent(new CustomEvent(event, { detail }));
  }
}

/**
 * @param {Line} line of the event "painted"
 * @param {Order} order
 * @param {{[field: string]: string}} [files]
 * @returns {Result}
 */
export const resultOf = (line, { task, body }, files = {}) => ({
  task,
  image: bytes(line.image),
  body,
  recipe: line.recipe,
  files,
  seed: line.seed,
  t0: line.recipe.t0,
  seconds: line.seconds,
});

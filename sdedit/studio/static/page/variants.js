/** Four seeds side by side: painted when nothing else is, and taken by a click. */

import { Refusal, bytes, painted } from "../server/api.js";
import { resultOf } from "../server/live.js";
import { byId, element, press } from "./dom.js";
import { notify } from "./notices.js";
import { small, thumb } from "./tray.js";

/** @typedef {import("../server/live.js").Result} Result */

const COUNT = 4;

/** Sends "chosen" with the result. */
export class Variants extends EventTarget {
  /**
   * @param {import("../server/order.js").Orders} orders
   * @param {import("../painting/settings.js").Settings} settings
   * @param {string} session
   */
  constructor(orders, settings, session) {
    super();
    this.orders = orders;
    this.settings = settings;
    this.session = session;
    this.list = byId("variants");
    this.abort = new AbortController();
    byId("more").addEventListener("click", () => this.paint());
    settings.addEventListener("change", () => this.#mark());
    this.#empty();
  }

  async paint() {
    this.abort.abort();
    this.abort = new AbortController();
    const { signal } = this.abort;
    try {
      const order = await this.orders.current();
      if (!order) return;
      this.#empty();
      const query = { ...order.query, variants: COUNT, session: this.session, priority: "idle" };
      for await (const line of painted(order.task, order.body, query, signal)) {
        if (signal.aborted) return;
        if (line.event === "error") throw new Refusal(500, line.message);
        if (line.event === "preview" && !order.query.picture) this.#preview(line.variant, bytes(line.image));
        if (line.event === "painted") this.#put(line.variant, resultOf(line, order));
      }
    } catch (error) {
      if (signal.aborted) return;
      notify("variants", error instanceof Refusal ? error.message : "The server is not there; paint the variants again when it is.");
    }
  }

  #empty() {
    const slots = Array.from({ length: COUNT }, () => element("li", {}, element("div", { className: "empty" })));
    this.list.replaceChildren(...slots);
  }

  /**
   * @param {number} variant
   * @param {Uint8Array} image
   */
  #preview(variant, image) {
    const preview = element("div", { className: "thumb" }, small(image, "image/jpeg"));
    this.list.children[variant].replaceChildren(preview);
  }

  /**
   * @param {number} variant
   * @param {Result} result
   */
  #put(variant, result) {
    const choose = () => this.dispatchEvent(new CustomEvent("chosen", { detail: result }));
    const { item, button } = thumb(result.image, `Seed ${result.seed}`, choose);
    button.dataset.seed = String(result.seed);
    this.list.children[variant].replaceWith(item);
    this.#mark();
  }

  #mark() {
    for (const button of this.list.querySelectorAll("button")) {
      press(button, Number(button.dataset.seed) === this.settings.values.seed);
    }
  }
}

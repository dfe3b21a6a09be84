/** Images that stood for a while, with all that made them: to go back to, to pin, to delete. */

import { ask } from "./dialog.js";
import { byId, element } from "./dom.js";
import { corner, thumb } from "./tray.js";

/** @typedef {import("../keeping/store.js").Entry} Entry */
/** @typedef {import("../server/live.js").Result} Result */

const AFTER = 1200; // milliseconds that an image has to stand
const MOST_ENTRIES = 200; // that are not pinned
const MOST_BYTES = 150e6; // of their images, which are all at hand

/** Sends "restore" with an entry, and "failed" with the reason. */
export class History extends EventTarget {
  /**
   * @param {import("../keeping/store.js").Store | null} store null if nothing can be kept
   * @param {import("../painting/painting.js").Painting} painting
   * @param {import("../painting/settings.js").Settings} settings
   */
  constructor(store, painting, settings) {
    super();
    this.store = store;
    this.painting = painting;
    this.settings = settings;
    /** @type {Entry[]} the newest first */
    this.entries = [];
    this.timer = 0;
    this.list = byId("history");
    byId("history-clear").addEventListener("click", () => this.#clear());
  }

  async start() {
    this.entries = (await this.store?.history()) ?? [];
    this.#draw();
  }

  /**
   * An image that belongs to the painting is seen; remember it if it still is in a while.
   * @param {Result} result
   */
  seen(result) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.remember(result), AFTER);
  }

  /** The painting changed: what is seen belongs to it no more. */
  unseen() {
    clearTimeout(this.timer);
  }

  /** @param {Result} result */
  async remember(result) {
    clearTimeout(this.timer);
    if (this.entries.some((entry) => same(entry.result, result))) return;
    const { actions, cursor, state } = this.painting;
    /** @type {Entry} */
    const entry = {
      time: Date.now(),
      pinned: false,
      actions: actions.slice(0, cursor),
      settings: this.settings.values,
      t0: state.t0,
      result,
    };
    this.entries.unshift(entry);
    const old = tooOld(this.entries);
    this.entries = this.entries.filter((each) => !old.includes(each));
    this.#draw();
    await this.#try(async (store) => {
      entry.id = await store.record(entry);
      await store.forget(old.map(({ id }) => /** @type {number} */ (id)));
    });
  }

  /** @param {Entry} entry */
  #delete(entry) {
    this.entries = this.entries.filter((each) => each !== entry);
    this.#draw();
    this.#try((store) => store.forget(entry.id === undefined ? [] : [entry.id]));
  }

  /** @param {Entry} entry */
  #pin(entry) {
    entry.pinned = !entry.pinned;
    this.#draw();
    this.#try(async (store) => {
      await store.record(entry);
    });
  }

  async #clear() {
    const sentence = element("p", {}, "Delete the images of the history that are not pinned? The painting stays as it is.");
    const yes = element("button", { className: "primary", value: "yes" }, "Delete them");
    if ((await ask("Clear the history", [sentence, element("div", { className: "row" }, yes)])) !== "yes") return;
    const gone = this.entries.filter(({ pinned }) => !pinned);
    this.entries = this.entries.filter(({ pinned }) => pinned);
    this.#draw();
    this.#try((store) => store.forget(gone.flatMap(({ id }) => id ?? [])));
  }

  /** @param {(store: import("../keeping/store.js").Store) => Promise<void>} write */
  async #try(write) {
    try {
      if (this.store) await write(this.store);
    } catch (error) {
      this.dispatchEvent(new CustomEvent("failed", { detail: error }));
    }
  }

  #draw() {
    const items = this.entries.map((entry) => {
      const { seed, t0 } = entry.result;
      const time = new Date(entry.time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
      const restore = () => this.dispatchEvent(new CustomEvent("restore", { detail: entry }));
      const { item } = thumb(entry.result.image, `${time}, t0 ${t0}, seed ${seed}: go back to it`, restore);
      const pin = corner("pin", entry.pinned ? "Unpin" : "Pin", () => this.#pin(entry), entry.pinned);
      item.append(element("div", { className: "corner" }, pin, corner("clear", "Delete", () => this.#delete(entry))));
      return item;
    });
    const hint = element("li", { className: "hint" }, "Images you stay with for a moment are kept here.");
    this.list.replaceChildren(...(items.length ? items : [hint]));
    byId("history-clear").hidden = !items.length;
  }
}

/**
 * @param {Entry[]} entries the newest first
 * @returns {Entry[]} those that have to go
 */
function tooOld(entries) {
  let bytes = 0;
  return entries
    .filter(({ pinned }) => !pinned)
    .filter(({ result }, n) => (bytes += result.image.length) > MOST_BYTES || n >= MOST_ENTRIES);
}

/**
 * @param {Result} a
 * @param {Result} b
 * @returns {boolean} whether they were made the same way
 */
const same = (a, b) => JSON.stringify(a.recipe) === JSON.stringify(b.recipe);

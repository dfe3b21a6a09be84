/** Keeps the painting as it changes, one write after the other, and says so, or says that it cannot. */

import { newId } from "./store.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./store.js").Head} Head */

const TAB = "sdedit-studio"; // in this tab's own storage: the painting it shows
const PATIENCE = 600; // milliseconds that a page that is being left may hold its painting

/** Sends "kept" when all is on the disk, and "failed" with the reason. */
export class Keeper extends EventTarget {
  /**
   * @param {Store} store
   * @param {import("../painting/painting.js").Painting} painting
   * @param {import("../painting/settings.js").Settings} settings
   */
  constructor(store, painting, settings) {
    super();
    this.store = store;
    this.painting = painting;
    this.settings = settings;
    this.id = newId();
    this.writing = Promise.resolve();
    this.unkept = 0; // writes that are waiting or under way
    this.headWaits = false;
    this.failed = false; // the last write
  }

  /**
   * Find what this tab, or else this browser, was painting last. What another tab has open is copied. From then on
   * this tab holds its painting, so that no other one writes to it.
   * @returns {Promise<{head: Head, actions: import("../painting/actions.js").Action[], copied: boolean} | null>}
   */
  async last() {
    const heads = await this.store.heads();
    const head = heads.find(({ id }) => id === remembered()) ?? heads[0];
    if (!head) {
      await held(this.id);
      return null;
    }
    const actions = await this.store.actions(head.id);
    if (await held(head.id)) {
      this.id = head.id;
      return { head, actions, copied: false };
    }
    await held(this.id);
    await this.store.copy({ ...head, id: this.id }, actions);
    return { head, actions, copied: true };
  }

  /** Keep what is done from now on. */
  start() {
    remember(this.id);
    this.painting.addEventListener("action", (event) => {
      const action = /** @type {CustomEvent} */ (event).detail;
      const head = this.#head();
      this.#write(() => this.store.append(head, action));
    });
    this.painting.addEventListener("moved", () => this.keepHead());
    this.settings.addEventListener("change", () => this.keepHead());
  }

  /** Keep the settings and how much is undone; once for all changes that come while another write goes on. */
  keepHead() {
    if (this.headWaits) return;
    this.headWaits = true;
    this.#write(() => this.store.keep(this.#head()));
  }

  /** @returns {Head} */
  #head() {
    const { cursor, actions } = this.painting;
    return { id: this.id, cursor, length: actions.length, settings: this.settings.values, changed: Date.now() };
  }

  /**
   * After a write that failed the next one keeps everything.
   * @param {() => Promise<void>} write
   */
  #write(write) {
    this.unkept += 1;
    const attempt = () => {
      this.headWaits = false;
      return this.failed ? this.store.copy(this.#head(), this.painting.actions) : write();
    };
    this.writing = this.writing.then(attempt).then(
      () => {
        this.failed = false;
        this.unkept -= 1;
        if (!this.unkept) this.dispatchEvent(new Event("kept"));
      },
      (error) => {
        this.failed = true;
        this.unkept -= 1;
        this.dispatchEvent(new CustomEvent("failed", { detail: error }));
      },
    );
  }
}

/**
 * Hold a painting for this tab for as long as it is open.
 * @param {string} id
 * @returns {Promise<boolean>} whether no other tab holds it; always where the browser has no locks
 */
function held(id) {
  if (!navigator.locks) return Promise.resolve(true);
  return new Promise((resolve) => {
    navigator.locks
      .request(`${TAB}-${id}`, { signal: AbortSignal.timeout(PATIENCE) }, () => {
        resolve(true);
        return new Promise(() => {});
      })
      .catch(() => resolve(false));
  });
}

/** @returns {string | null} */
function remembered() {
  try {
    return sessionStorage.getItem(TAB);
  } catch {
    return null; // storage is switched off
  }
}

/** @param {string} id */
function remember(id) {
  try {
    sessionStorage.setItem(TAB, id);
  } catch {
    // this tab then opens the painting changed last
  }
}

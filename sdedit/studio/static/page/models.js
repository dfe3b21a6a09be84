/** The server's models, and how large they may paint. */

import { status } from "../server/api.js";
import { byId, element } from "./dom.js";

/** @typedef {import("../server/api.js").Status} Status */

const AGAIN = 700; // milliseconds between two looks at a server that loads its models
const LARGER = [2, 3, 4, 6, 8]; // times the native size

export class Models {
  /** @param {import("../painting/settings.js").Settings} settings */
  constructor(settings) {
    this.settings = settings;
    /** @type {Status | null} */
    this.status = null;
    this.select = /** @type {HTMLSelectElement} */ (byId("model"));
    this.sizes = /** @type {HTMLSelectElement} */ (byId("large-size"));
    this.select.addEventListener("change", () => settings.set("model", this.select.value));
    settings.addEventListener("change", () => this.#show());
  }

  /** @returns {import("../server/api.js").Model | undefined} the one in use */
  get current() {
    const models = this.status?.models ?? [];
    return models.find(({ name }) => name === this.settings.values.model) ?? models[0];
  }

  /** @returns {number} the size that is chosen for large images */
  get size() {
    return Number(this.sizes.value);
  }

  /** Wait until the server has its models. */
  async load() {
    do {
      if (this.status) await new Promise((resolve) => setTimeout(resolve, AGAIN));
      this.status = await status();
    } while (this.status.state === "loading");
    const options = this.status.models.map(({ name, px }) => element("option", { value: name }, `${name} · ${px} px`));
    this.select.replaceChildren(...options);
    this.#show();
  }

  #show() {
    const model = this.current;
    if (!model || !this.status) return;
    if (this.settings.values.model && this.settings.values.model !== model.name) this.settings.set("model", "");
    this.select.value = model.name;
    const most = this.status.limits.size;
    const sizes = LARGER.map((times) => times * model.px).filter((size) => size <= most);
    if ([...this.sizes.options].map(({ value }) => Number(value)).join() === sizes.join()) return;
    this.sizes.replaceChildren(...sizes.map((size) => element("option", { value: String(size) }, `${size} px`)));
    /** @type {HTMLButtonElement} */ (byId("large")).disabled = !sizes.length;
  }
}

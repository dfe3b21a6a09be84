/** What is asked of the server for a painting as it stands: the files and the options. */

import { seen } from "../painting/actions.js";
import { encoded, withoutAlpha } from "../pixels/encoder.js";
import { keepPicture } from "./api.js";

/** @typedef {import("../painting/actions.js").State} State */
/** @typedef {import("../painting/actions.js").Bases} Bases */
/** @typedef {import("../keeping/store.js").Original} Original */

/**
 * @typedef {object} Order
 * @property {"paint" | "edit"} task
 * @property {Uint8Array} body a PNG file: the guide, or the strokes of an edit
 * @property {import("./api.js").Query} query
 */

export class Orders {
  /**
   * @param {import("../painting/painting.js").Painting} painting
   * @param {import("../painting/settings.js").Settings} settings
   * @param {Map<string, Original>} originals by the id of a base
   */
  constructor(painting, settings, originals) {
    this.painting = painting;
    this.settings = settings;
    this.originals = originals;
    this.changes = 0; // of what is seen of the painting
    /** @type {{changes: number, file: Promise<Uint8Array>} | null} */
    this.body = null;
    /** @type {{mask: Uint8ClampedArray, id: Promise<string>} | null} */
    this.mask = null;
    painting.addEventListener("pixels", () => (this.changes += 1));
  }

  /**
   * @returns {Promise<Order | null>} null where there is nothing to do: an edit without strokes and mask
   * @throws what `keepPicture` throws
   */
  async current() {
    const { state } = this.painting;
    const { seed, model } = this.settings.values;
    /** @type {import("./api.js").Query} */
    const query = { t0: state.t0, seed };
    if (model) query.model = model;
    if (state.base?.role !== "edit") return { task: "paint", body: await this.#file(state), query };
    const original = this.originals.get(state.base.id);
    if (!original) return null;
    const masked = hasAny(state.mask);
    if (!masked && !hasAny(state.strokes)) return null;
    query.picture = original.picture;
    if (masked) query.mask = await this.#maskId(state);
    return { task: "edit", body: await this.#file(state), query };
  }

  /**
   * Send the files again that the server has forgotten.
   * @returns {Promise<boolean>} whether there are any
   */
  async restore() {
    this.mask = null;
    const original = this.originals.get(this.painting.state.base?.id ?? "");
    if (original) await keepPicture(original.file);
    return original !== undefined;
  }

  /**
   * The PNG file that goes to the server, made once for each change.
   * @param {State} state
   */
  #file(state) {
    if (this.body?.changes !== this.changes) {
      const { width, height } = state;
      const file =
        state.base?.role === "edit"
          ? encoded({ width, height, channels: 4, data: state.strokes })
          : encoded({ width, height, channels: 3, data: withoutAlpha(seen(state, this.painting.bases)) });
      this.body = { changes: this.changes, file };
    }
    return this.body.file;
  }

  /** @param {State} state */
  #maskId({ mask, width, height }) {
    if (this.mask?.mask !== mask) this.mask = { mask, id: sent({ width, height, channels: 1, data: mask }) };
    return this.mask.id;
  }
}

/** @param {import("../pixels/png.js").Raster} mask */
async function sent(mask) {
  const file = await encoded(mask);
  return (await keepPicture(new Blob([file], { type: "image/png" }))).id;
}

/**
 * @param {Uint8ClampedArray} layer
 * @returns {boolean} whether anything is on it
 */
const hasAny = (layer) => layer.some((value) => value > 0);

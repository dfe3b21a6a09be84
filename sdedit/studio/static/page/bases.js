/** Photographs that come from outside: what they are to be, and a painting begun with one. */

import { mainColours } from "../painting/sampled.js";
import { drawSeed } from "../painting/settings.js";
import { newId } from "../keeping/store.js";
import { Refusal, keepPicture, pixelsOf, simulated } from "../server/api.js";
import { ask, card } from "./dialog.js";
import { element } from "./dom.js";
import { notify } from "./notices.js";

/** @typedef {import("../keeping/store.js").Original} Original */
/** @typedef {import("../painting/actions.js").Pixels} Pixels */

const LONGEST = { guide: 1024, edit: 1536 }; // pixels of a side on the canvas; the photograph itself stays whole
const STROKES = 256; // shorter side of simulated strokes
const COLOURS = 16;

export class Bases {
  /**
   * @param {import("../painting/painting.js").Painting} painting
   * @param {import("../painting/settings.js").Settings} settings
   * @param {Map<string, Original>} originals
   * @param {import("../keeping/store.js").Store | null} store
   */
  constructor(painting, settings, originals, store) {
    this.painting = painting;
    this.settings = settings;
    this.originals = originals;
    this.store = store;
  }

  /**
   * Ask what a file is to be, and begin a painting with it.
   * @param {File | Blob} file
   */
  async offer(file) {
    const role = await ask("What is this image to be?", [
      element(
        "div",
        { className: "cards" },
        card("guide", "A guide to paint over", "The whole becomes a new photograph, as the strokes do."),
        card("edit", "A photograph to edit", "Only where you paint changes; all else stays as it is, bit for bit."),
        card("strokes", "Strokes", "It is simplified into brush strokes first."),
      ),
      element("p", { className: "note" }, "The painting so far stays in the list of undo."),
    ]);
    if (role) await this.#attempt(() => this.begin(file, /** @type {any} */ (role)));
  }

  /**
   * @param {File | Blob} file
   * @param {"guide" | "edit" | "strokes"} role
   */
  async begin(file, role) {
    const picture = await keepPicture(file);
    if (role === "strokes") return this.#strokes(file);
    if (picture.note && role === "edit") notify("photograph", picture.note);
    const pixels = await pixelsOf(picture.id, LONGEST[role]);
    await this.#start(file, picture, pixels, role);
  }

  /** @param {File | Blob} file */
  async #strokes(file) {
    const strokes = await simulated(file, STROKES);
    const picture = await keepPicture(strokes);
    const pixels = await pixelsOf(picture.id, LONGEST.guide);
    await this.#start(strokes, picture, twice(pixels), "guide");
  }

  /**
   * Put the main colours of a file beside the palette.
   * @param {File | Blob} file
   */
  async sample(file) {
    await this.#attempt(async () => {
      const { id } = await keepPicture(file);
      this.settings.set("sampled", mainColours((await pixelsOf(id, STROKES)).data, COLOURS));
    });
  }

  /**
   * Have the pixels at hand that actions refer to.
   * @param {import("../painting/actions.js").Action[]} actions
   */
  async load(actions) {
    for (const action of actions) {
      if (action.kind !== "start") continue;
      await this.load(action.actions);
      if (!action.base || this.originals.has(action.base.id)) continue;
      const original = await this.store?.original(action.base.id);
      if (original) this.take(original);
    }
  }

  /** @param {Original} original */
  take(original) {
    this.originals.set(original.id, original);
    this.painting.bases.set(original.id, original.pixels);
  }

  /**
   * @param {File | Blob} file
   * @param {{id: string, width: number}} picture
   * @param {Pixels} pixels
   * @param {"guide" | "edit"} role
   */
  async #start(file, picture, pixels, role) {
    const name = file instanceof File ? file.name : "";
    /** @type {Original} */
    const original = { id: newId(), file, name, picture: picture.id, width: picture.width, pixels };
    this.take(original);
    await this.store?.keepOriginal(original).catch((error) => notify("storage", `The photograph cannot be kept in this browser: ${error.message}`));
    this.settings.set("seed", drawSeed()); // the same noise twice over an image of its own sharpens it too much
    const { width, height } = pixels;
    this.painting.do({ kind: "start", width, height, paper: "#ffffff", base: { id: original.id, role }, actions: [] });
    this.settings.set("sampled", mainColours(pixels.data, COLOURS));
  }

  /** @param {() => Promise<void>} act */
  async #attempt(act) {
    try {
      await act();
    } catch (error) {
      notify("photograph", error instanceof Refusal ? error.message : "The server is not there; open the image again when it is.");
    }
  }
}

/**
 * @param {Pixels} pixels
 * @returns {Pixels} twice as large, each pixel as it is
 */
function twice({ width, height, data }) {
  const [source, made] = [new Uint32Array(data.buffer), new Uint32Array(4 * width * height)];
  for (let y = 0, i = 0; y < 2 * height; y++) {
    for (let x = 0; x < 2 * width; x++, i++) made[i] = source[(y >> 1) * width + (x >> 1)];
  }
  return { width: 2 * width, height: 2 * height, data: new Uint8ClampedArray(made.buffer) };
}

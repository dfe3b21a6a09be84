/** What is set but is no part of the painting: tools, colours, seed. Kept with the painting. */

/**
 * @typedef {object} Values
 * @property {"brush" | "soft" | "line" | "fill" | "eraser" | "eyedropper"} tool
 * @property {"strokes" | "mask"} layer where it paints
 * @property {string} colour
 * @property {string} other the colour that X swaps in
 * @property {string[]} recent colours, the last one first
 * @property {string[]} sampled colours of an image
 * @property {number} size diameter of the brush, in pixels of the document
 * @property {number} opacity in [0, 1]
 * @property {boolean} pressureSize
 * @property {boolean} pressureOpacity
 * @property {"none" | "vertical" | "horizontal"} symmetry
 * @property {number} tolerance of the fill, from 0 to 255
 * @property {number} seed
 * @property {boolean} locked whether the seed stays from image to image
 * @property {boolean} live whether each stroke is painted at once
 * @property {string} model "" for the first
 * @property {number} enlarged by what the model's native size is multiplied
 * @property {"side" | "wipe"} compare
 * @property {number} wipe where the wipe is, from 0 to 100
 */

const MOST_RECENT = 8;

/** @type {Values} */
export const DEFAULTS = {
  tool: "brush",
  layer: "strokes",
  colour: "#eaf0f5",
  other: "#4b6c8c",
  recent: [],
  sampled: [],
  size: 28,
  opacity: 1,
  pressureSize: true,
  pressureOpacity: false,
  symmetry: "none",
  tolerance: 24,
  seed: 7,
  locked: true,
  live: true,
  model: "",
  enlarged: 1,
  compare: "side",
  wipe: 50,
};

/** Sends "change" with the name of what changed, or null for everything. */
export class Settings extends EventTarget {
  /** @type {Values} */
  values = { ...DEFAULTS };

  /** @param {Partial<Values>} values as they were kept */
  restore(values) {
    const known = Object.entries(values).filter(([name]) => name in DEFAULTS);
    this.values = { ...DEFAULTS, ...Object.fromEntries(known) };
    this.dispatchEvent(new CustomEvent("change", { detail: null }));
  }

  /**
   * @template {keyof Values} Name
   * @param {Name} name
   * @param {Values[Name]} value
   */
  set(name, value) {
    if (this.values[name] === value) return;
    this.values = { ...this.values, [name]: value };
    this.dispatchEvent(new CustomEvent("change", { detail: name }));
  }

  swap() {
    const { colour, other } = this.values;
    this.set("colour", other);
    this.set("other", colour);
  }

  /** Remember the colour as used. */
  used() {
    const { colour, recent } = this.values;
    if (recent[0] === colour) return;
    this.set("recent", [colour, ...recent.filter((known) => known !== colour)].slice(0, MOST_RECENT));
  }
}

/** @returns {number} a seed that nobody chose, of 32 bits as the command draws it */
export const drawSeed = () => crypto.getRandomValues(new Uint32Array(1))[0];

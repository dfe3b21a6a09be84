/** What the tools do with a pointer on the canvas, whichever it is: mouse, pen, finger, or the keyboard's cursor. */

import { hex } from "../pixels/blend.js";
import { byId } from "./dom.js";

/** @typedef {import("../painting/actions.js").Stroke} Stroke */

/**
 * @typedef {object} How
 * @property {boolean} [erases] it is a pen's other end
 * @property {boolean} [straight] the stroke is to be a line
 * @property {boolean} [picks] it takes a colour up
 * @property {boolean} [onResult] it is on the result
 */

const SOFT = 0.1; // hardness of the soft brush
const FINEST = 16; // steps of a pixel that points are rounded to
const LEVELS = 255; // of pressure

/** Sends "drawing" and "drawn" round each stroke. */
export class Brushwork extends EventTarget {
  /**
   * @param {import("../painting/painting.js").Painting} painting
   * @param {import("../painting/settings.js").Settings} settings
   * @param {import("./view.js").View} view
   * @param {{sheet: import("./sheet.js").Sheet, shown: import("./shown.js").Shown}} sources of colours
   */
  constructor(painting, settings, view, sources) {
    super();
    this.painting = painting;
    this.settings = settings;
    this.view = view;
    this.sources = sources;
    this.mode = /** @type {"none" | "stroke" | "line" | "pick"} */ ("none");
    this.ring = byId("cursor");
    this.onResult = false;
    /** @type {number[] | null} */
    this.at = null;
    view.addEventListener("moved", () => this.hover(this.at));
    settings.addEventListener("change", () => this.hover(this.at));
  }

  /** @returns {boolean} whether the tool takes colours up */
  get picks() {
    return this.settings.values.tool === "eyedropper";
  }

  /**
   * @param {number[]} point x, y and pressure
   * @param {How} how
   */
  down(point, how) {
    const { tool } = this.settings.values;
    this.hover(point);
    this.onResult = Boolean(how.onResult);
    if (how.picks || tool === "eyedropper") {
      this.mode = "pick";
      this.#pick(point);
    } else if (tool === "fill" && !how.erases) this.#fill(point);
    else {
      this.mode = how.straight || tool === "line" ? "line" : "stroke";
      this.#used();
      this.dispatchEvent(new Event("drawing"));
      this.painting.begin(this.#stroke(point, Boolean(how.erases)));
    }
  }

  /** @param {number[][]} points */
  move(points) {
    this.hover(points[points.length - 1]);
    if (this.mode === "stroke") this.painting.extend(points.flatMap(rounded));
    if (this.mode === "line") this.painting.straighten(rounded(points[points.length - 1]));
    if (this.mode === "pick") this.#pick(points[points.length - 1]);
  }

  up() {
    const drew = this.mode === "stroke" || this.mode === "line";
    this.mode = "none";
    if (!drew) return;
    this.painting.end();
    this.dispatchEvent(new Event("drawn"));
  }

  cancel() {
    const drew = this.mode === "stroke" || this.mode === "line";
    this.mode = "none";
    if (!drew) return;
    this.painting.cancel();
    this.dispatchEvent(new Event("drawn"));
  }

  /**
   * Show how large the brush is, and where.
   * @param {number[] | null} point
   */
  hover(point) {
    this.at = point;
    const { tool, size } = this.settings.values;
    const brush = tool !== "fill" && tool !== "eyedropper";
    this.ring.classList.toggle("shown", point !== null);
    if (!point) return;
    const across = brush ? Math.max(size * this.view.scale, 3) : 7;
    const [pane, canvas] = [this.view.pane.getBoundingClientRect(), this.view.canvas.getBoundingClientRect()];
    const unit = this.view.pane.clientWidth / pane.width; // of a page that is zoomed by CSS
    const x = (canvas.left - pane.left + (point[0] * canvas.width) / this.view.width) * unit;
    const y = (canvas.top - pane.top + (point[1] * canvas.height) / this.view.height) * unit;
    this.ring.style.width = this.ring.style.height = `${across}px`;
    this.ring.style.transform = `translate(${x - across / 2}px, ${y - across / 2}px)`;
  }

  /**
   * @param {number[]} point
   * @param {boolean} erases
   * @returns {Stroke}
   */
  #stroke(point, erases) {
    const { tool, layer, colour, opacity, size, pressureSize, pressureOpacity, symmetry } = this.settings.values;
    const hardness = tool === "soft" ? SOFT : 1;
    return {
      kind: "stroke",
      layer,
      erases: erases || tool === "eraser",
      colour,
      opacity,
      brush: { size, hardness, pressureSize, pressureOpacity, symmetry },
      points: rounded(point),
    };
  }

  /** @param {number[]} point */
  #fill([x, y]) {
    const { layer, colour, opacity, tolerance } = this.settings.values;
    const { width, height } = this.painting.state;
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    this.#used();
    this.painting.do({ kind: "fill", layer, erases: false, colour, opacity, x, y, tolerance });
  }

  /** @param {number[]} point */
  async #pick([x, y]) {
    const { compare, wipe } = this.settings.values;
    const overImage = compare === "wipe" && (100 * x) / this.view.width >= wipe;
    const { shown, sheet } = this.sources;
    const colour = this.onResult || overImage ? await shown.colourAt(x, y) : sheet.colourAt(x, y);
    if (colour) this.settings.set("colour", hex(colour));
  }

  #used() {
    const { layer, tool } = this.settings.values;
    if (layer === "strokes" && tool !== "eraser") this.settings.used();
  }
}

/**
 * @param {number[]} point
 * @returns {number[]} it in few digits, as it is kept
 */
const rounded = ([x, y, pressure]) => [
  Math.round(x * FINEST) / FINEST,
  Math.round(y * FINEST) / FINEST,
  Math.round(pressure * LEVELS) / LEVELS,
];

/** The painting and its mask on their canvases, what changed of them, once a frame. */

import { seen } from "../painting/actions.js";
import { union, whole } from "../pixels/rect.js";
import { byId } from "./dom.js";

/** @typedef {import("../pixels/rect.js").Rect} Rect */

const MASK = [232, 30, 132, 0.55]; // the mask's colour, and how much of it covers the painting

export class Sheet {
  /**
   * @param {import("../painting/painting.js").Painting} painting
   * @param {import("./view.js").View} view
   */
  constructor(painting, view) {
    this.painting = painting;
    this.view = view;
    this.canvas = /** @type {HTMLCanvasElement} */ (byId("canvas"));
    this.overlay = /** @type {HTMLCanvasElement} */ (byId("mask-overlay"));
    this.image = new ImageData(1, 1);
    this.mask = new ImageData(1, 1);
    /** @type {Rect | null} */
    this.changed = null;
    painting.addEventListener("pixels", (event) => this.#mark(/** @type {CustomEvent} */ (event).detail));
  }

  /** Show everything anew, now. */
  show() {
    const { width, height } = this.painting.state;
    this.#fit(width, height);
    this.changed = whole(width, height);
    this.#draw();
  }

  /**
   * @param {number} x in pixels of the document
   * @param {number} y
   * @returns {ArrayLike<number> | null} the colour seen there
   */
  colourAt(x, y) {
    const { width, height } = this.painting.state;
    const [column, row] = [Math.floor(x), Math.floor(y)];
    if (column < 0 || row < 0 || column >= width || row >= height) return null;
    if (this.changed) this.#draw();
    const at = 4 * (row * width + column);
    return this.image.data.subarray(at, at + 3);
  }

  /** @param {Rect} rect */
  #mark(rect) {
    if (!this.changed) requestAnimationFrame(() => this.#draw());
    this.changed = union(this.changed, rect);
  }

  #draw() {
    if (!this.changed) return;
    const { state, bases } = this.painting;
    const { width, height } = state;
    if (this.#fit(width, height)) this.changed = whole(width, height);
    const { left, top, right, bottom } = this.changed;
    const rect = { left, top, right: Math.min(right, width), bottom: Math.min(bottom, height) };
    this.changed = null;
    seen(state, bases, this.image.data, rect);
    this.#tint(rect);
    for (const [canvas, image] of /** @type {[HTMLCanvasElement, ImageData][]} */ ([[this.canvas, this.image], [this.overlay, this.mask]])) {
      const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
      context.putImageData(image, 0, 0, rect.left, rect.top, rect.right - rect.left, rect.bottom - rect.top);
    }
  }

  /** @param {Rect} rect */
  #tint({ left, top, right, bottom }) {
    const { mask, width } = this.painting.state;
    const { data } = this.mask;
    for (let y = top; y < bottom; y++) {
      for (let i = y * width + left, end = y * width + right; i < end; i++) data[4 * i + 3] = mask[i] * MASK[3];
    }
  }

  /**
   * @param {number} width
   * @param {number} height
   * @returns {boolean} whether the size is another one
   */
  #fit(width, height) {
    if (this.image.width === width && this.image.height === height) return false;
    for (const canvas of [this.canvas, this.overlay]) [canvas.width, canvas.height] = [width, height];
    this.image = new ImageData(width, height);
    this.mask = new ImageData(width, height);
    const { data } = this.mask;
    for (let j = 0; j < data.length; j += 4) [data[j], data[j + 1], data[j + 2]] = MASK;
    this.view.resize(width, height);
    return true;
  }
}

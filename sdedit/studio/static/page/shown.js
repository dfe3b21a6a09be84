/** The image that was painted: on its canvas, under the wipe, and as pixels for the eyedropper. */

import { decode } from "../pixels/png.js";
import { announce, byId } from "./dom.js";

/** @typedef {import("../server/live.js").Result} Result */
/** @typedef {import("../server/api.js").Line} Line */

const FINE = 1024; // pixels of the longer side that small images are enlarged to, smoothly
const MOST = 2048;

export class Shown {
  /**
   * @param {import("../painting/painting.js").Painting} painting
   * @param {import("../painting/settings.js").Settings} settings
   * @param {import("./view.js").View} view
   * @param {Map<string, import("../keeping/store.js").Original>} originals
   */
  constructor(painting, settings, view, originals) {
    this.painting = painting;
    this.settings = settings;
    this.view = view;
    this.originals = originals;
    this.canvas = /** @type {HTMLCanvasElement} */ (byId("result"));
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    this.sheet = byId("result-sheet");
    /** @type {Result | null} the last one in full */
    this.result = null;
    /** @type {{result: Result, raster: Promise<import("../pixels/png.js").Raster>} | null} */
    this.pixels = null;
    this.flipped = false;
    this.drawn = 0; // the number of the last drawing that was begun
    settings.addEventListener("change", () => this.compare());
    this.#grip(byId("wipe-grip"));
    view.addEventListener("moved", () => this.#wipe());
  }

  /**
   * @param {Line & {image: Uint8Array}} preview an estimate
   */
  async preview({ image, region }) {
    await this.#draw(image, "image/jpeg", region);
  }

  /** @param {Result} result */
  async show(result) {
    this.result = result;
    await this.#draw(result.image, "image/png");
    const { seed, t0 } = result;
    this.canvas.setAttribute("aria-label", `The image, painted with seed ${seed} and t0 ${t0}`);
    announce(`Painted with seed ${seed}.`);
  }

  /** Show the photograph itself, before anything of it is edited. */
  async blank() {
    this.result = null;
    const { base, width, height } = this.painting.state;
    const pixels = base && this.painting.bases.get(base.id);
    const number = (this.drawn += 1);
    const bitmap = pixels ? await createImageBitmap(new ImageData(pixels.data, pixels.width)) : null;
    if (number !== this.drawn) return;
    this.#fit(width, height);
    if (bitmap) this.context.drawImage(bitmap, 0, 0, this.canvas.width, this.canvas.height);
  }

  /**
   * @param {number} x in pixels of the document
   * @param {number} y
   * @returns {Promise<ArrayLike<number> | null>} the colour of the image there
   */
  async colourAt(x, y) {
    const { result } = this;
    if (!result) return null;
    if (this.pixels?.result !== result) this.pixels = { result, raster: decode(result.image) };
    const { width, height, channels, data } = await this.pixels.raster;
    const column = Math.floor((x * width) / this.view.width);
    const row = Math.floor((y * height) / this.view.height);
    if (column < 0 || row < 0 || column >= width || row >= height) return null;
    const at = channels * (row * width + column);
    return channels === 1 ? [data[at], data[at], data[at]] : data.subarray(at, at + 3);
  }

  /** Both canvases side by side, or one over the other. */
  compare() {
    const { compare } = this.settings.values;
    const panes = byId("panes");
    if (panes.dataset.compare !== compare) {
      panes.dataset.compare = compare;
      if (compare === "wipe") byId("cursor").before(this.sheet);
      else byId("result-view").append(this.sheet);
      this.view.place();
    }
    byId("wipe-field").hidden = compare !== "wipe";
    this.#wipe();
  }

  /** @param {boolean} flipped whether the strokes are seen in place of the image */
  flip(flipped) {
    this.flipped = flipped;
    const before = /** @type {HTMLCanvasElement} */ (byId("before"));
    const { canvas } = this.view;
    [before.width, before.height] = flipped ? [canvas.width, canvas.height] : [1, 1];
    if (flipped) /** @type {CanvasRenderingContext2D} */ (before.getContext("2d")).drawImage(canvas, 0, 0);
    this.#wipe();
  }

  /** @param {HTMLElement} grip by which the wipe is dragged; keys have the slider below */
  #grip(grip) {
    grip.addEventListener("pointerdown", (event) => {
      event.stopPropagation(); // it is no stroke
      grip.setPointerCapture(event.pointerId);
    });
    grip.addEventListener("pointermove", (event) => {
      if (!grip.hasPointerCapture(event.pointerId)) return;
      const share = this.view.point(event)[0] / this.view.width;
      this.settings.set("wipe", Math.round(100 * Math.min(Math.max(share, 0), 1)));
    });
  }

  #wipe() {
    const { compare, wipe } = this.settings.values;
    const hidden = this.flipped ? 100 : compare === "wipe" ? wipe : 0;
    this.canvas.style.clipPath = `inset(0 0 0 ${hidden}%)`;
    const [pane, sheet] = [this.view.pane, this.view.sheet];
    const left = (pane.clientWidth - sheet.clientWidth) / 2 + this.view.x;
    byId("wipe-line").style.transform = `translate(${left + (sheet.clientWidth * wipe) / 100 - 1}px)`;
  }

  /**
   * @param {Uint8Array} file
   * @param {string} type
   * @param {number[]} [region] left, top, right and bottom of the photograph that the image shows
   */
  async #draw(file, type, region) {
    const number = (this.drawn += 1);
    const bitmap = await createImageBitmap(new Blob([file], { type }));
    if (number !== this.drawn) return bitmap.close(); // a newer one has overtaken it
    if (!region) this.#fit(bitmap.width, bitmap.height);
    const original = this.originals.get(this.painting.state.base?.id ?? "");
    const unit = original ? this.canvas.width / original.width : 1;
    const [left, top, right, bottom] = region?.map((side) => side * unit) ?? [0, 0, this.canvas.width, this.canvas.height];
    this.context.imageSmoothingQuality = "high";
    this.context.drawImage(bitmap, left, top, right - left, bottom - top);
    bitmap.close();
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  #fit(width, height) {
    const longest = Math.max(width, height);
    const times = longest < FINE ? Math.ceil(FINE / longest) : Math.min(1, MOST / longest);
    const [w, h] = [Math.round(width * times), Math.round(height * times)];
    if (this.canvas.width === w && this.canvas.height === h) return;
    [this.canvas.width, this.canvas.height] = [w, h];
  }
}

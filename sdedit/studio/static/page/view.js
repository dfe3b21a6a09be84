/** Where the canvases lie in their panes: fitted, zoomed and moved, both alike; and where a pointer is on them. */

import { byId } from "./dom.js";

const MARGIN = 18; // pixels round a fitted canvas
const SHARP = 3; // enlarged so many times, pixels are shown as they are
const LEAST = 0.25;
const MOST = 24;

/** Sends "moved". */
export class View extends EventTarget {
  constructor() {
    super();
    this.pane = byId("guide-view");
    this.other = byId("result-view");
    this.sheet = byId("sheet");
    this.otherSheet = byId("result-sheet");
    this.canvas = /** @type {HTMLCanvasElement} */ (byId("canvas"));
    this.width = 1; // of the document
    this.height = 1;
    this.zoom = 1; // 1 shows the whole document
    this.x = 0; // how far its middle is from that of the pane, in pixels of the page
    this.y = 0;
    const observer = new ResizeObserver(() => this.place());
    observer.observe(this.pane);
  }

  /** @returns {number} pixels of the page for one of the document */
  get scale() {
    const { clientWidth, clientHeight } = this.pane;
    const room = Math.min(MARGIN, clientWidth / 20);
    const fit = Math.min((clientWidth - 2 * room) / this.width, (clientHeight - 2 * room) / this.height);
    return Math.max(fit, 0.01) * this.zoom;
  }

  /**
   * @param {number} width of the document
   * @param {number} height
   */
  resize(width, height) {
    if (width === this.width && height === this.height) return;
    [this.width, this.height] = [width, height];
    this.fit();
  }

  fit() {
    [this.zoom, this.x, this.y] = [1, 0, 0];
    this.place();
  }

  /**
   * @param {number} dx in pixels of the page
   * @param {number} dy
   */
  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.place();
  }

  /**
   * Zoom about a point of the page that stays where it is; the middle of the pane if none is given.
   * @param {number} factor
   * @param {{clientX: number, clientY: number}} [about]
   */
  magnify(factor, about) {
    const zoom = Math.min(Math.max(this.zoom * factor, LEAST), MOST);
    const box = this.#paneOf(about).getBoundingClientRect();
    const [px, py] = about
      ? [about.clientX - box.left - box.width / 2, about.clientY - box.top - box.height / 2]
      : [0, 0];
    this.x = px - ((px - this.x) * zoom) / this.zoom;
    this.y = py - ((py - this.y) * zoom) / this.zoom;
    this.zoom = zoom;
    this.place();
  }

  /** Put both sheets where they belong. */
  place() {
    const { scale } = this;
    const [width, height] = [this.width * scale, this.height * scale];
    const slack = 40; // so much of the canvas stays in the pane
    const [mostX, mostY] = [(this.pane.clientWidth + width) / 2 - slack, (this.pane.clientHeight + height) / 2 - slack];
    this.x = Math.min(Math.max(this.x, -mostX), mostX);
    this.y = Math.min(Math.max(this.y, -mostY), mostY);
    const left = (this.pane.clientWidth - width) / 2 + this.x;
    const top = (this.pane.clientHeight - height) / 2 + this.y;
    for (const sheet of [this.sheet, this.otherSheet]) {
      sheet.style.width = `${width}px`;
      sheet.style.height = `${height}px`;
      sheet.style.transform = `translate(${left}px, ${top}px)`;
      sheet.classList.toggle("sharp", scale >= SHARP);
    }
    byId("zoom").textContent = `${Math.round(100 * this.zoom)} %`;
    this.dispatchEvent(new Event("moved"));
  }

  /**
   * Where a pointer is, in pixels of the document; read anew each time, since scrolling and zooming of the page move
   * the canvas without telling.
   * @param {{clientX: number, clientY: number}} event
   * @param {Element} [sheet]
   * @returns {[number, number]}
   */
  point({ clientX, clientY }, sheet = this.canvas) {
    const box = sheet.getBoundingClientRect();
    return [((clientX - box.left) * this.width) / box.width, ((clientY - box.top) * this.height) / box.height];
  }

  /** @param {{clientX: number, clientY: number}} [about] */
  #paneOf(about) {
    if (!about) return this.pane;
    const box = this.other.getBoundingClientRect();
    const inside = about.clientX >= box.left && about.clientX < box.right && about.clientY >= box.top && about.clientY < box.bottom;
    return inside ? this.other : this.pane;
  }
}

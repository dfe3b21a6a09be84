/**
 * How far a stroke covers each pixel: 0 to 255, the most that any part of the stroke covers it, so that a stroke that
 * crosses itself is no darker there.
 */

import { union, within } from "./rect.js";

/** @typedef {import("./rect.js").Rect} Rect */

/**
 * How a stroke is drawn.
 * @typedef {object} Brush
 * @property {number} size diameter in pixels of the document
 * @property {number} hardness 1 for a hard edge; below, the share of the radius that is covered fully
 * @property {boolean} pressureSize whether the pen's pressure sets the width
 * @property {boolean} pressureOpacity whether it sets the coverage
 * @property {"none" | "vertical" | "horizontal"} symmetry the axis of the mirror image
 */

const THINNEST = 0.15; // of the width, at no pressure

export class Coverage {
  /**
   * @param {number} width of the document
   * @param {number} height
   */
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.values = new Uint8Array(width * height);
    /** @type {Rect | null} what is covered so far */
    this.rect = null;
  }

  clear() {
    this.values.fill(0);
    this.rect = null;
  }

  /**
   * Draw along the points, from the one before `from` on.
   * @param {number[]} points x, y and pressure in [0, 1] of each point
   * @param {Brush} brush
   * @param {number} from index of the first new point
   * @returns {Rect | null} what changed
   */
  draw(points, brush, from = 0) {
    /** @type {Rect | null} */
    let changed = null;
    for (let n = from; n < points.length / 3; n++) {
      const a = 3 * Math.max(0, n - 1);
      const start = points.slice(a, a + 3);
      const end = points.slice(3 * n, 3 * n + 3);
      changed = union(changed, this.#segment(start, end, brush));
      if (brush.symmetry !== "none") {
        changed = union(changed, this.#segment(this.#mirrored(start, brush), this.#mirrored(end, brush), brush));
      }
    }
    this.rect = union(this.rect, changed);
    return changed;
  }

  /**
   * @param {number[]} point
   * @param {Brush} brush
   */
  #mirrored([x, y, pressure], brush) {
    return brush.symmetry === "vertical" ? [this.width - x, y, pressure] : [x, this.height - y, pressure];
  }

  /**
   * A round brush drawn from one point to another, its radius and coverage changing evenly on the way.
   * @param {number[]} a
   * @param {number[]} b
   * @param {Brush} brush
   */
  #segment([ax, ay, ap], [bx, by, bp], brush) {
    const thin = (/** @type {number} */ p) => (brush.pressureSize ? THINNEST + (1 - THINNEST) * p : 1);
    const ra = (brush.size / 2) * thin(ap);
    const rb = (brush.size / 2) * thin(bp);
    const oa = brush.pressureOpacity ? ap : 1;
    const ob = brush.pressureOpacity ? bp : 1;
    const reach = Math.max(ra, rb) + 1;
    const rect = within(
      Math.min(ax, bx) - reach,
      Math.min(ay, by) - reach,
      Math.max(ax, bx) + reach,
      Math.max(ay, by) + reach,
      this.width,
      this.height,
    );
    if (!rect) return null;
    const dx = bx - ax;
    const dy = by - ay;
    const length2 = dx * dx + dy * dy || 1;
    const hard = brush.hardness >= 1;
    for (let y = rect.top; y < rect.bottom; y++) {
      const py = y + 0.5 - ay;
      for (let x = rect.left, i = y * this.width + x; x < rect.right; x++, i++) {
        const px = x + 0.5 - ax;
        let t = (px * dx + py * dy) / length2;
        t = t < 0 ? 0 : t > 1 ? 1 : t;
        const ex = px - t * dx;
        const ey = py - t * dy;
        const r = ra + t * (rb - ra);
        const d2 = ex * ex + ey * ey;
        if (d2 > (r + 1) * (r + 1)) continue;
        const d = Math.sqrt(d2);
        let c = hard ? r - d + 0.5 : (r - d) / (r * (1 - brush.hardness));
        c = c < 0 ? 0 : c > 1 ? 1 : c;
        if (!hard) c = c * c * (3 - 2 * c);
        const value = (255 * c * (oa + t * (ob - oa)) + 0.5) | 0;
        if (value > this.values[i]) this.values[i] = value;
      }
    }
    return rect;
  }
}

/** Colour, erasure and mask laid on pixels through a coverage; and the layers laid over each other. */

/** @typedef {import("./rect.js").Rect} Rect */
/** @typedef {import("./coverage.js").Coverage} Coverage */

/**
 * @param {string} colour "#rrggbb"
 * @returns {[number, number, number]}
 */
export function rgb(colour) {
  const value = parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/**
 * @param {ArrayLike<number>} values red, green and blue from 0 to 255
 * @returns {string} "#rrggbb"
 */
export const hex = (values) =>
  "#" + [values[0], values[1], values[2]].map((value) => value.toString(16).padStart(2, "0")).join("");

/**
 * Lay a colour over RGBA pixels (alpha not multiplied in).
 * @param {Uint8ClampedArray} target changed inside `rect`
 * @param {Uint8ClampedArray} before what the target was before the stroke
 * @param {Coverage} coverage
 * @param {Rect} rect
 * @param {string} colour
 * @param {number} opacity in [0, 1]
 */
export function lay(target, before, coverage, rect, colour, opacity) {
  const [red, green, blue] = rgb(colour);
  each(coverage, rect, opacity, (i, a) => {
    const j = 4 * i;
    const under = (before[j + 3] / 255) * (1 - a);
    const alpha = a + under;
    target[j] = (red * a + before[j] * under) / alpha;
    target[j + 1] = (green * a + before[j + 1] * under) / alpha;
    target[j + 2] = (blue * a + before[j + 2] * under) / alpha;
    target[j + 3] = 255 * alpha;
  });
}

/**
 * Take strokes away, so that the paper or the base shows again; parameters as of `lay`.
 * @param {Uint8ClampedArray} target
 * @param {Uint8ClampedArray} before
 * @param {Coverage} coverage
 * @param {Rect} rect
 * @param {number} opacity
 */
export function erase(target, before, coverage, rect, opacity) {
  each(coverage, rect, opacity, (i, a) => {
    const j = 4 * i;
    target[j + 3] = before[j + 3] * (1 - a);
    for (let c = j; c < j + 3; c++) target[c] = target[j + 3] ? before[c] : 0;
  });
}

/**
 * Raise or lower a mask; parameters as of `lay`.
 * @param {Uint8ClampedArray} target one value a pixel
 * @param {Uint8ClampedArray} before
 * @param {Coverage} coverage
 * @param {Rect} rect
 * @param {number} opacity
 * @param {0 | 255} towards
 */
export function layMask(target, before, coverage, rect, opacity, towards) {
  each(coverage, rect, opacity, (i, a) => {
    target[i] = before[i] + (towards - before[i]) * a;
  });
}

/**
 * @param {Coverage} coverage
 * @param {Rect} rect
 * @param {number} opacity
 * @param {(pixel: number, share: number) => void} put called where the coverage is above 0, with the share covered
 */
function each(coverage, rect, opacity, put) {
  const { values, width } = coverage;
  for (let y = rect.top; y < rect.bottom; y++) {
    for (let i = y * width + rect.left, end = y * width + rect.right; i < end; i++) {
      if (values[i]) put(i, (values[i] / 255) * opacity);
    }
  }
}

/**
 * What is seen: strokes over the base, or over paper where there is none.
 * @param {Uint8ClampedArray} out RGBA, changed inside `rect`; opaque afterwards
 * @param {Uint8ClampedArray} strokes RGBA
 * @param {Uint8ClampedArray | null} base RGBA
 * @param {string} paper
 * @param {number} width
 * @param {Rect} rect
 */
export function flatten(out, strokes, base, paper, width, rect) {
  const [red, green, blue] = rgb(paper);
  for (let y = rect.top; y < rect.bottom; y++) {
    for (let j = 4 * (y * width + rect.left), end = 4 * (y * width + rect.right); j < end; j += 4) {
      const a = strokes[j + 3] / 255;
      const b = base ? base[j + 3] / 255 : 0;
      for (let c = 0; c < 3; c++) {
        let under = c === 0 ? red : c === 1 ? green : blue;
        if (b) under += ((base ? base[j + c] : 0) - under) * b;
        out[j + c] = under + (strokes[j + c] - under) * a;
      }
      out[j + 3] = 255;
    }
  }
}

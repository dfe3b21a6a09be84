/** The fill tool: the pixels of nearly one colour that hang together with the one under the pointer. */

import { Coverage } from "./coverage.js";
import { whole } from "./rect.js";

/**
 * Mark the region of pixels like the one at (x, y), four neighbours each, and a rim of one pixel about it: edges of
 * strokes are smooth, and without the rim a seam of mixed colours would stay along them.
 * @param {ArrayLike<number>} pixels
 * @param {number} channels values a pixel, of which the first three at most are compared
 * @param {number} width
 * @param {number} height
 * @param {number} x
 * @param {number} y
 * @param {number} tolerance the largest difference of any channel, from 0 to 255
 * @returns {Coverage} 255 inside
 */
export function flood(pixels, channels, width, height, x, y, tolerance) {
  const inside = region(pixels, channels, width, height, Math.floor(x), Math.floor(y), tolerance);
  const coverage = new Coverage(width, height);
  coverage.rect = whole(width, height);
  for (let row = 0, i = 0; row < height; row++) {
    for (let column = 0; column < width; column++, i++) {
      if (!inside[i]) continue;
      for (let r = Math.max(0, row - 1); r <= Math.min(height - 1, row + 1); r++) {
        for (let c = Math.max(0, column - 1); c <= Math.min(width - 1, column + 1); c++) {
          coverage.values[r * width + c] = 255;
        }
      }
    }
  }
  return coverage;
}

/**
 * @param {ArrayLike<number>} pixels
 * @param {number} channels
 * @param {number} width
 * @param {number} height
 * @param {number} x
 * @param {number} y
 * @param {number} tolerance
 * @returns {Uint8Array} 1 inside
 */
function region(pixels, channels, width, height, x, y, tolerance) {
  const inside = new Uint8Array(width * height);
  const compared = Math.min(3, channels);
  const start = (y * width + x) * channels;
  const like = (/** @type {number} */ i) => {
    for (let c = 0; c < compared; c++) {
      if (Math.abs(pixels[i * channels + c] - pixels[start + c]) > tolerance) return false;
    }
    return true;
  };
  const waiting = [y * width + x];
  while (waiting.length) {
    const seed = /** @type {number} */ (waiting.pop());
    if (inside[seed]) continue;
    const row = Math.floor(seed / width);
    let left = seed;
    while (left > row * width && !inside[left - 1] && like(left - 1)) left--;
    let right = seed;
    while (right < (row + 1) * width - 1 && !inside[right + 1] && like(right + 1)) right++;
    inside.fill(1, left, right + 1);
    for (const next of [row - 1, row + 1]) {
      if (next < 0 || next >= height) continue;
      const shift = (next - row) * width;
      for (let i = left + shift, run = false; i <= right + shift; i++) {
        const open = !inside[i] && like(i);
        if (open && !run) waiting.push(i);
        run = open;
      }
    }
  }
  return inside;
}

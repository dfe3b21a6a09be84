/** The main colours of an image: boxes of colours, split where they are widest (median cut, Heckbert 1982). */

import { hex } from "../pixels/blend.js";

const EVERY = 4096; // so many pixels are looked at, at most

/**
 * @param {Uint8ClampedArray} pixels RGBA
 * @param {number} count
 * @returns {string[]} the light ones first
 */
export function mainColours(pixels, count) {
  const step = 4 * Math.max(1, Math.floor(pixels.length / 4 / EVERY));
  /** @type {number[][]} */
  const all = [];
  for (let j = 0; j < pixels.length; j += step) all.push([pixels[j], pixels[j + 1], pixels[j + 2]]);
  let boxes = [all];
  while (boxes.length < count) {
    const widest = boxes.reduce((best, box) => (width(box).size > width(best).size ? box : best));
    const { size, channel } = width(widest);
    if (size === 0) break; // there are no more colours than that
    widest.sort((a, b) => a[channel] - b[channel]);
    const middle = widest.length >> 1;
    boxes = boxes.filter((box) => box !== widest).concat([widest.slice(0, middle), widest.slice(middle)]);
  }
  const means = boxes.map((box) => [0, 1, 2].map((c) => Math.round(box.reduce((sum, colour) => sum + colour[c], 0) / box.length)));
  const light = (/** @type {number[]} */ [r, g, b]) => 0.3 * r + 0.59 * g + 0.11 * b;
  return means.sort((a, b) => light(b) - light(a)).map(hex);
}

/**
 * @param {number[][]} box colours
 * @returns {{size: number, channel: number}} its widest side
 */
function width(box) {
  const sizes = [0, 1, 2].map((c) => {
    let [low, high] = [255, 0];
    for (const colour of box) {
      if (colour[c] < low) low = colour[c];
      if (colour[c] > high) high = colour[c];
    }
    return high - low;
  });
  const size = Math.max(...sizes);
  return { size, channel: sizes.indexOf(size) };
}

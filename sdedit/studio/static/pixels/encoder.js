/** The page's side of the worker that writes PNG files. */

/** @typedef {import("./png.js").Raster} Raster */

const worker = new Worker(new URL("./encode.worker.js", import.meta.url), { type: "module" });
/** @type {Map<number, (file: Uint8Array) => void>} */
const waiting = new Map();
let last = 0;

worker.addEventListener("message", ({ data: { id, file } }) => {
  waiting.get(id)?.(file);
  waiting.delete(id);
});

/**
 * @param {Raster} raster whose data is copied
 * @returns {Promise<Uint8Array>} a PNG file
 */
export function encoded(raster) {
  last += 1;
  const id = last;
  worker.postMessage({ id, raster });
  return new Promise((resolve) => waiting.set(id, resolve));
}

/**
 * Opaque RGBA pixels without their alpha.
 * @param {Uint8ClampedArray} pixels
 * @returns {Uint8Array}
 */
export function withoutAlpha(pixels) {
  const made = new Uint8Array((pixels.length / 4) * 3);
  for (let i = 0, j = 0; i < pixels.length; i += 4) {
    made[j++] = pixels[i];
    made[j++] = pixels[i + 1];
    made[j++] = pixels[i + 2];
  }
  return made;
}

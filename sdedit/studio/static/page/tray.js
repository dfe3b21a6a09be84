/** Thumbnails in a row, as the variants and the history have them. */

import { element, icon, press } from "./dom.js";

const HEIGHT = 168; // pixels: twice what is seen, for fine screens

/**
 * A small copy of an image: of a photograph the whole would take much memory for each.
 * @param {Uint8Array} image
 * @param {string} [type]
 * @returns {HTMLCanvasElement} in which it appears once it is decoded
 */
export function small(image, type = "image/png") {
  const canvas = element("canvas", { width: HEIGHT, height: HEIGHT, aria: { hidden: "true" } });
  createImageBitmap(new Blob([image], { type }), { resizeHeight: HEIGHT, resizeQuality: "high" }).then((bitmap) => {
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
  });
  return canvas;
}

/**
 * @param {Uint8Array} image
 * @param {string} label
 * @param {() => void} choose
 * @returns {{item: HTMLLIElement, button: HTMLButtonElement}}
 */
export function thumb(image, label, choose) {
  const shown = { type: "button", className: "thumb", onclick: choose, title: label, aria: { label } };
  const button = element("button", shown, small(image));
  return { item: element("li", {}, button), button };
}

/**
 * @param {string} name of an icon
 * @param {string} label
 * @param {() => void} act
 * @param {boolean} [pressed]
 */
export function corner(name, label, act, pressed) {
  const button = element("button", { type: "button", title: label, onclick: act, aria: { label } });
  button.append(icon(name));
  if (pressed !== undefined) press(button, pressed);
  return button;
}

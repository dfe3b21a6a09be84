/** Thumbnails in a row, as the variants and the history have them. */

import { element, icon, press } from "./dom.js";

/**
 * @param {Uint8Array} image
 * @param {string} [type]
 * @returns {string} an address that `release` frees
 */
export const addressOf = (image, type = "image/png") => URL.createObjectURL(new Blob([image], { type }));

/** @param {Element} thumb whose image is to be freed */
export function release(thumb) {
  const image = thumb.querySelector("img");
  if (image) URL.revokeObjectURL(image.src);
}

/**
 * @param {Uint8Array} image
 * @param {string} label
 * @param {() => void} choose
 * @returns {{item: HTMLLIElement, button: HTMLButtonElement}}
 */
export function thumb(image, label, choose) {
  const picture = element("img", { src: addressOf(image), alt: "" });
  const button = element("button", { type: "button", className: "thumb", onclick: choose, title: label, aria: { label } }, picture);
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

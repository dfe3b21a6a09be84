/** The tools and the brush's settings: buttons and sliders that show the settings and change them. */

import { byId, press } from "./dom.js";
import { rove } from "./toolbar.js";

/** @typedef {import("../painting/settings.js").Settings} Settings */

const LARGEST = 256; // diameter of the brush, in pixels of the document

/** The slider of sizes is finer where brushes are small: its places are square roots. */
const sizeAt = (/** @type {number} */ place) => Math.max(1, Math.round(LARGEST * (place / 100) ** 2));
const placeOf = (/** @type {number} */ size) => Math.round(100 * Math.sqrt(size / LARGEST));

/**
 * A larger or a smaller brush.
 * @param {Settings} settings
 * @param {1 | -1} step
 */
export function resizeBrush(settings, step) {
  const { size } = settings.values;
  const next = step > 0 ? Math.max(size + 1, Math.round(size * 1.2)) : Math.min(size - 1, Math.round(size / 1.2));
  settings.set("size", Math.min(Math.max(next, 1), LARGEST));
}

/**
 * @param {Settings} settings
 * @param {import("../painting/painting.js").Painting} painting
 */
export function startControls(settings, painting) {
  const tools = /** @type {HTMLButtonElement[]} */ ([...document.querySelectorAll("[data-tool]")]);
  for (const button of tools) {
    button.addEventListener("click", () => settings.set("tool", /** @type {any} */ (button.dataset.tool)));
  }
  byId("mask").addEventListener("click", () => toggleMask(settings));
  for (const bar of document.querySelectorAll("[role=toolbar]:not(.swatches)")) rove(/** @type {HTMLElement} */ (bar));

  slider("size", settings, placeOf, sizeAt, (size) => `${size} px`);
  slider("opacity", settings, (share) => Math.round(100 * share), (place) => place / 100, (share) => `${Math.round(100 * share)} %`);
  slider("tolerance", settings, Number, Number, String);
  slider("wipe", settings, Number, Number);
  box("pressure-size", "pressureSize", settings);
  box("pressure-opacity", "pressureOpacity", settings);
  const symmetry = /** @type {HTMLSelectElement} */ (byId("symmetry"));
  symmetry.addEventListener("change", () => settings.set("symmetry", /** @type {any} */ (symmetry.value)));
  byId("side").addEventListener("click", () => settings.set("compare", "side"));
  byId("wiped").addEventListener("click", () => settings.set("compare", "wipe"));
  byId("live").addEventListener("click", () => settings.set("live", !settings.values.live));

  const show = () => {
    const { tool, layer, compare, live } = settings.values;
    for (const button of tools) press(button, button.dataset.tool === tool);
    press(byId("mask"), layer === "mask");
    press(byId("side"), compare === "side");
    press(byId("wiped"), compare === "wipe");
    press(byId("live"), live);
    symmetry.value = settings.values.symmetry;
    byId("tolerance-field").hidden = tool !== "fill"; // it takes the place of the size, so that nothing moves
    byId("size-field").hidden = tool === "fill";
    byId("canvas").classList.toggle("picking", tool === "eyedropper");
  };
  settings.addEventListener("change", show);
  show();
  undoing(painting);
}

/** @param {Settings} settings */
export const toggleMask = (settings) => settings.set("layer", settings.values.layer === "mask" ? "strokes" : "mask");

/** @param {import("../painting/painting.js").Painting} painting */
function undoing(painting) {
  const [undo, redo] = /** @type {HTMLButtonElement[]} */ ([byId("undo"), byId("redo")]);
  undo.addEventListener("click", () => painting.undo());
  redo.addEventListener("click", () => painting.redo());
  byId("clear").addEventListener("click", () => painting.do({ kind: "clear", layer: "strokes" }));
  const show = () => {
    undo.disabled = painting.cursor < 2;
    redo.disabled = painting.cursor === painting.actions.length;
  };
  for (const event of ["action", "moved"]) painting.addEventListener(event, show);
  show();
}

/**
 * @param {"size" | "opacity" | "tolerance" | "wipe"} name
 * @param {Settings} settings
 * @param {(value: number) => number} place of a value on the slider
 * @param {(place: number) => number} value at a place
 * @param {(value: number) => string} [words]
 */
function slider(name, settings, place, value, words) {
  const input = /** @type {HTMLInputElement} */ (byId(name));
  input.addEventListener("input", () => settings.set(name, value(input.valueAsNumber)));
  const show = () => {
    const now = settings.values[name];
    if (value(input.valueAsNumber) !== now) input.value = String(place(now));
    if (!words) return;
    byId(`${name}-value`).textContent = words(now);
    input.setAttribute("aria-valuetext", words(now));
  };
  settings.addEventListener("change", show);
  show();
}

/**
 * @param {string} id
 * @param {"pressureSize" | "pressureOpacity"} name
 * @param {Settings} settings
 */
function box(id, name, settings) {
  const input = /** @type {HTMLInputElement} */ (byId(id));
  input.addEventListener("change", () => settings.set(name, input.checked));
  const show = () => (input.checked = settings.values[name]);
  settings.addEventListener("change", show);
  show();
}

/** The seed: kept from image to image, so that an image changes only where the painting does, or drawn anew. */

import { drawSeed } from "../painting/settings.js";
import { byId, press } from "./dom.js";

/**
 * @param {import("../painting/settings.js").Settings} settings
 * @param {import("../painting/painting.js").Painting} painting
 */
export function startSeed(settings, painting) {
  const input = /** @type {HTMLInputElement} */ (byId("seed"));
  input.addEventListener("change", () => {
    const seed = Number(input.value);
    if (/^\d+$/.test(input.value) && Number.isSafeInteger(seed)) settings.set("seed", seed);
    else show();
  });
  byId("another").addEventListener("click", () => anotherSeed(settings));
  byId("locked").addEventListener("click", () => settings.set("locked", !settings.values.locked));
  painting.addEventListener("action", () => {
    if (!settings.values.locked) anotherSeed(settings);
  });
  const show = () => {
    const { seed, locked } = settings.values;
    input.value = String(seed);
    press(byId("locked"), locked);
    byId("locked").title = locked ? "The seed stays from image to image" : "Each stroke gets another seed";
  };
  settings.addEventListener("change", show);
  show();
}

/** @param {import("../painting/settings.js").Settings} settings */
export const anotherSeed = (settings) => settings.set("seed", drawSeed());

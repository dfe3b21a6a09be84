/** The colours at hand: a landscape's, those used last, those of an image; and the two in use. */

import { byId, element, press } from "./dom.js";
import { rove } from "./toolbar.js";

/** Sky, water, snow and ice; rock and earth; green; the colours of dusk. */
const PALETTE = [
  ...["#eaf0f5", "#c9d9e6", "#a8c4da", "#86aed2", "#5f8fbb", "#4b6c8c", "#2f5e7e", "#1e3a52"],
  ...["#f1ead9", "#d4c5a8", "#b09f87", "#8b8378", "#6f7681", "#5c6473", "#43464d", "#25262b"],
  ...["#a9b77f", "#7f9460", "#5c7650", "#3f5a45", "#2c3f36", "#4b8a9b", "#86b8b9", "#d8e5e2"],
  ...["#fff2ce", "#f8d79c", "#ecb37c", "#e58e6c", "#c96a5b", "#a9868f", "#6a6f93", "#3b3f5c"],
];

/** @param {import("../painting/settings.js").Settings} settings */
export function startPalette(settings) {
  const bars = { palette: byId("palette"), recent: byId("recent"), sampled: byId("sampled") };
  const draw = () => {
    const { colour, recent, sampled } = settings.values;
    fill(bars.palette, PALETTE, settings);
    fill(bars.recent, recent, settings);
    fill(bars.sampled, sampled, settings);
    for (const button of document.querySelectorAll(".swatches button")) {
      press(button, /** @type {HTMLElement} */ (button).dataset.colour === colour);
    }
    for (const name of /** @type {("colour" | "other")[]} */ (["colour", "other"])) {
      /** @type {HTMLInputElement} */ (byId(name)).value = settings.values[name];
    }
  };
  for (const bar of Object.values(bars)) rove(bar);
  for (const name of /** @type {("colour" | "other")[]} */ (["colour", "other"])) {
    byId(name).addEventListener("input", (event) => settings.set(name, /** @type {HTMLInputElement} */ (event.target).value));
  }
  byId("swap").addEventListener("click", () => settings.swap());
  settings.addEventListener("change", draw);
  draw();
}

/**
 * @param {HTMLElement} bar
 * @param {string[]} colours
 * @param {import("../painting/settings.js").Settings} settings
 */
function fill(bar, colours, settings) {
  const there = /** @type {HTMLElement[]} */ ([...bar.children]).map((button) => button.dataset.colour);
  if (there.join() === colours.join()) return;
  const buttons = colours.map((colour) => {
    const choose = () => settings.set("colour", colour);
    const made = element("button", { type: "button", title: colour, onclick: choose, data: { colour }, aria: { label: `Colour ${colour}` } });
    made.style.background = colour;
    return made;
  });
  bar.replaceChildren(...buttons);
}

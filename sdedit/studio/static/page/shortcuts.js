/** Which key does what. */

import { resizeBrush, toggleMask } from "./controls.js";
import { byId } from "./dom.js";
import { showHelp, startKeys } from "./keys.js";
import { anotherSeed } from "./seed.js";

/** @typedef {import("./keys.js").Key} Key */

const ZOOM = 1.25;

/** @param {any} studio the parts that keys act on */
export function startShortcuts({ settings, painting, view, shown, live, pointers, keyboard, variants, commands }) {
  const tool = (/** @type {string} */ name) => () => settings.set("tool", name);
  /** @type {Key[]} */
  const keys = [
    { keys: ["b"], shown: "B", does: "Brush", act: tool("brush") },
    { keys: ["o"], shown: "O", does: "Soft brush", act: tool("soft") },
    { keys: ["u"], shown: "U", does: "Line", act: tool("line") },
    { keys: ["g"], shown: "G", does: "Fill", act: tool("fill") },
    { keys: ["e"], shown: "E", does: "Eraser", act: tool("eraser") },
    { keys: ["i"], shown: "I", does: "Eyedropper", act: tool("eyedropper") },
    { keys: ["m"], shown: "M", does: "Mask", act: () => toggleMask(settings) },
    { keys: ["["], shown: "[", does: "Smaller brush", act: () => resizeBrush(settings, -1) },
    { keys: ["]"], shown: "]", does: "Larger brush", act: () => resizeBrush(settings, 1) },
    { keys: ["x"], shown: "X", does: "Swap colours", act: () => settings.swap() },
    { keys: ["z"], shown: "Z", does: "Undo", act: ({ shiftKey }) => (shiftKey ? painting.redo() : painting.undo()) },
    { keys: ["y"], shown: "Y", does: "Redo", act: () => painting.redo() },
    { keys: ["enter"], shown: "Enter", does: "Paint the image", act: () => live.paint() },
    { keys: ["l"], shown: "L", does: "Live or not", act: () => settings.set("live", !settings.values.live) },
    { keys: ["n"], shown: "N", does: "Another seed", act: () => anotherSeed(settings) },
    { keys: ["v"], shown: "V", does: "Four variants", act: () => variants.paint() },
    { keys: ["c"], shown: "C", does: "Hold: strokes in place of the image", act: () => shown.flip(true) },
    { keys: ["w"], shown: "W", does: "Wipe or side by side", act: () => settings.set("compare", settings.values.compare === "wipe" ? "side" : "wipe") },
    { keys: ["p"], shown: "P", does: "Keyboard's pen down or up", act: () => keyboard.toggle() },
    { keys: [" "], shown: "Space", does: "Hold: move the view", act: () => pan(true) },
    { keys: ["+", "="], shown: "+", does: "Nearer", act: () => view.magnify(ZOOM) },
    { keys: ["-"], shown: "-", does: "Farther", act: () => view.magnify(1 / ZOOM) },
    { keys: ["0"], shown: "0", does: "The whole canvas", act: () => view.fit() },
    { keys: ["s"], shown: "S", does: "Save", act: () => commands.save() },
    { keys: ["?"], shown: "?", does: "These keys", act: () => showHelp(keys) },
  ];
  const pan = (/** @type {boolean} */ on) => {
    pointers.panning = on;
    byId("canvas").classList.toggle("panning", on);
  };
  document.addEventListener("keyup", ({ key }) => {
    if (key.toLowerCase() === "c") shown.flip(false);
    if (key === " ") pan(false);
  });
  window.addEventListener("blur", () => pan(false));
  startKeys(keys, { undo: () => painting.undo(), redo: () => painting.redo(), save: commands.save });
  byId("help").addEventListener("click", () => showHelp(keys));
  byId("paint").addEventListener("click", () => live.paint());
  byId("fit").addEventListener("click", () => view.fit());
}

/** Keys: by what they say rather than where they are, and never while something is typed. */

import { byId, element, isField } from "./dom.js";
import { ask } from "./dialog.js";

/** @typedef {{keys: string[], shown: string, does: string, act: (event: KeyboardEvent) => void}} Key */

/**
 * @param {Key[]} keys without Ctrl or Alt; lower case
 * @param {{undo: () => void, redo: () => void, save: () => void}} chords with Ctrl
 */
export function startKeys(keys, chords) {
  document.addEventListener("keydown", (event) => {
    const { key, ctrlKey, metaKey, altKey, shiftKey } = event;
    const at = document.activeElement;
    if (isField(at) || document.querySelector("dialog[open]")) return;
    const name = key.toLowerCase();
    if (ctrlKey || metaKey) {
      const chord = name === "z" ? (shiftKey ? chords.redo : chords.undo) : name === "y" ? chords.redo : name === "s" ? chords.save : null;
      if (!chord) return;
      event.preventDefault();
      return chord();
    }
    if (altKey) return;
    const pressed = at instanceof HTMLElement && at.matches("button, input") && ["enter", " "].includes(name);
    const known = keys.find((each) => each.keys.includes(name));
    if (!known || pressed) return;
    event.preventDefault();
    known.act(event);
  });
}

/** @param {Key[]} keys */
export async function showHelp(keys) {
  const rows = keys.map(({ shown, does }) =>
    element("div", {}, element("dt", {}, does), element("dd", {}, ...shown.split(" ").map((key) => element("kbd", {}, key)))),
  );
  await ask("Keys", [
    element("p", {}, "Paint flat colours on the left; the model turns them into a photograph as you go. Nothing leaves this machine."),
    element("dl", { className: "keys" }, ...rows),
    element("p", { className: "note" }, byId("canvas-help").textContent ?? ""),
    element("p", { className: "note" }, "Wheel or two fingers zoom and move. Alt takes a colour up, from the strokes or the image. Shift draws a line."),
  ]);
}

/** What lies under the strokes, and the mask over them: paper, photograph, and what is said of them. */

import { byId } from "./dom.js";

const NOTES = {
  none: "Drop or paste one to paint over, to edit, or to turn into strokes.",
  guide: "It is part of the guide: the whole becomes a new image. The eraser brings it back.",
  edit: "Only where you paint changes. A mask says more exactly where; the eraser brings the photograph back.",
};

/** @param {import("../painting/painting.js").Painting} painting */
export function startGround(painting) {
  const paper = /** @type {HTMLInputElement} */ (byId("paper"));
  paper.addEventListener("change", () => painting.do({ kind: "paper", colour: paper.value }));
  byId("clear-mask").addEventListener("click", () => painting.do({ kind: "clear", layer: "mask" }));
  const show = () => {
    const { base, mask, paper: colour } = painting.state;
    paper.value = colour;
    byId("base-note").textContent = NOTES[base?.role ?? "none"];
    byId("clear-mask").hidden = !mask.some((value) => value > 0);
  };
  for (const event of ["action", "moved"]) painting.addEventListener(event, show);
  show();
}

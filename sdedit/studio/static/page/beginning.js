/** New paintings: from a guide to paint over, or from an empty sheet. */

import { apply, empty, seen } from "../painting/actions.js";
import { begun } from "../painting/guides.js";
import { ask, card } from "./dialog.js";
import { element } from "./dom.js";

/** @typedef {import("../painting/guides.js").Guide} Guide */

const PAPER = "#dfe7ee"; // the model makes mist of white
/** @type {[string, number, number][]} */
const SHEETS = [
  ["Square", 512, 512],
  ["Landscape", 768, 512],
  ["Panorama", 1024, 512],
  ["Portrait", 512, 768],
];

/**
 * @param {import("../painting/painting.js").Painting} painting
 * @param {Guide[]} guides
 */
export async function offerToBegin(painting, guides) {
  const painted = guides.map((guide, n) => card(`guide ${n}`, guide.name, `${guide.width} × ${guide.height}`, drawn(guide)));
  const sheets = SHEETS.map(([name, width, height], n) => {
    const sheet = element("i");
    sheet.style.aspectRatio = `${width} / ${height}`;
    return card(`sheet ${n}`, name, `${width} × ${height}`, element("div", { className: "shape" }, sheet));
  });
  const choice = await ask("New painting", [
    element("h3", { className: "quiet" }, "Paint over a guide"),
    element("div", { className: "cards" }, ...painted),
    element("h3", { className: "quiet" }, "Or begin with an empty sheet"),
    element("div", { className: "cards" }, ...sheets),
    element("p", { className: "note" }, "The painting so far stays in the list of undo."),
  ]);
  const [kind, n] = choice.split(" ");
  if (kind === "guide") painting.do(begun(guides[Number(n)]));
  if (kind === "sheet") {
    const [, width, height] = SHEETS[Number(n)];
    painting.do({ kind: "start", width, height, paper: PAPER, base: null, actions: [] });
  }
}

/**
 * @param {Guide} guide
 * @returns {HTMLCanvasElement} it in small
 */
function drawn(guide) {
  const small = { ...guide, width: guide.width / 2, height: guide.height / 2 };
  const state = apply(empty(1, 1), begun(small), new Map());
  const canvas = element("canvas", { width: small.width, height: small.height, aria: { hidden: "true" } });
  canvas.getContext("2d").putImageData(new ImageData(seen(state, new Map()), small.width), 0, 0);
  return canvas;
}

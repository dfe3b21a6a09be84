/** The guides to start from, read from guides.json: simple strokes that anyone could have painted, to paint over. */

/** @typedef {import("./actions.js").Action} Action */
/** @typedef {import("./actions.js").Start} Start */

/**
 * A guide as it is written down. Each of the strokes is a colour, a brush's diameter and the strokes drawn with it as
 * texts of points "x,y x,y …", all in hundredths of the height; a diameter of 0 fills from each point instead.
 * @typedef {{name: string, width: number, height: number, paper: string, strokes: [string, number, ...string[]][]}} Guide
 */

const TOLERANCE = 24;

/** @returns {Promise<Guide[]>} */
export async function readGuides() {
  return (await fetch(new URL("../guides.json", import.meta.url))).json();
}

/**
 * @param {Guide} guide
 * @returns {Start} the action that begins a painting with it
 */
export function begun({ width, height, paper, strokes }) {
  const unit = height / 100;
  const actions = strokes.flatMap(([colour, diameter, ...paths]) =>
    paths.map((path) => {
      const points = path.split(" ").map((point) => point.split(",").map((value) => Number(value) * unit));
      return diameter ? stroke(colour, diameter * unit, points) : fill(colour, points[0]);
    }),
  );
  return { kind: "start", width, height, paper, base: null, actions };
}

/**
 * @param {string} colour
 * @param {number} size
 * @param {number[][]} points
 * @returns {Action}
 */
const stroke = (colour, size, points) => ({
  kind: "stroke",
  layer: "strokes",
  erases: false,
  colour,
  opacity: 1,
  brush: { size, hardness: 1, pressureSize: false, pressureOpacity: false, symmetry: "none" },
  points: points.flatMap(([x, y]) => [x, y, 1]),
});

/**
 * @param {string} colour
 * @param {number[]} point
 * @returns {Action}
 */
const fill = (colour, [x, y]) => ({
  kind: "fill",
  layer: "strokes",
  erases: false,
  colour,
  opacity: 1,
  x,
  y,
  tolerance: TOLERANCE,
});

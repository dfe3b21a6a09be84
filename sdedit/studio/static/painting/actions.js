/**
 * What an artist did, one record for each step of undo, and what each does to the layers. A state is never changed:
 * an action gives a new one, which shares the layers it leaves alone.
 */

import { erase, flatten, lay, layMask } from "../pixels/blend.js";
import { Coverage } from "../pixels/coverage.js";
import { flood } from "../pixels/flood.js";
import { whole } from "../pixels/rect.js";

/** @typedef {import("../pixels/rect.js").Rect} Rect */
/** @typedef {import("../pixels/coverage.js").Brush} Brush */

/**
 * An image under the strokes: what they are painted over ("guide"), or what `sdedit edit` changes ("edit").
 * @typedef {{id: string, role: "guide" | "edit"}} Base
 *
 * @typedef {object} Stroke
 * @property {"stroke"} kind
 * @property {"strokes" | "mask"} layer
 * @property {boolean} erases
 * @property {string} colour
 * @property {number} opacity in [0, 1]
 * @property {Brush} brush
 * @property {number[]} points x, y in pixels of the document and pressure in [0, 1] of each
 *
 * @typedef {object} Fill
 * @property {"fill"} kind
 * @property {"strokes" | "mask"} layer
 * @property {boolean} erases
 * @property {string} colour
 * @property {number} opacity
 * @property {number} x
 * @property {number} y
 * @property {number} tolerance from 0 to 255
 *
 * @typedef {object} Start a new painting in place of all before, with what is on it from the start
 * @property {"start"} kind
 * @property {number} width
 * @property {number} height
 * @property {string} paper
 * @property {Base | null} base
 * @property {Action[]} actions
 *
 * @typedef {{kind: "paper", colour: string}} Paper
 * @typedef {{kind: "clear", layer: "strokes" | "mask"}} Clear
 * @typedef {{kind: "t0", value: number}} Strength
 * @typedef {Stroke | Fill | Start | Paper | Clear | Strength} Action
 */

/**
 * @typedef {object} State
 * @property {number} width
 * @property {number} height
 * @property {string} paper
 * @property {Base | null} base
 * @property {number} t0
 * @property {Uint8ClampedArray} strokes RGBA
 * @property {Uint8ClampedArray} mask one value a pixel
 */

/** @typedef {{width: number, height: number, data: Uint8ClampedArray}} Pixels RGBA */
/** @typedef {Map<string, Pixels>} Bases the images that states name, by their id */

export const T0 = { paint: 0.5, edit: 0.45 }; // the commands' own defaults

/**
 * @param {number} width
 * @param {number} height
 * @returns {State} with white paper
 */
export const empty = (width, height) => ({
  width,
  height,
  paper: "#ffffff",
  base: null,
  t0: T0.paint,
  strokes: new Uint8ClampedArray(4 * width * height),
  mask: new Uint8ClampedArray(width * height),
});

/**
 * @param {State} state
 * @param {Action} action
 * @param {Bases} bases
 * @returns {State}
 */
export function apply(state, action, bases) {
  switch (action.kind) {
    case "stroke": {
      const coverage = new Coverage(state.width, state.height);
      const rect = coverage.draw(action.points, action.brush);
      return rect ? covered(state, action, coverage, rect) : state;
    }
    case "fill":
      return filled(state, action, bases);
    case "start": {
      const { width, height, paper, base, actions } = action;
      const t0 = base?.role === "edit" ? T0.edit : T0.paint;
      return actions.reduce((made, next) => apply(made, next, bases), { ...empty(width, height), paper, base, t0 });
    }
    case "paper":
      return { ...state, paper: action.colour };
    case "t0":
      return { ...state, t0: action.value };
    case "clear": {
      const blank = empty(state.width, state.height);
      if (action.layer === "mask") return { ...state, mask: blank.mask };
      return { ...state, strokes: blank.strokes };
    }
  }
}

/**
 * A copy of the layer an action changes, in a new state, to be changed through `put`.
 * @param {State} state
 * @param {Stroke | Fill} action
 * @returns {State}
 */
export const copied = (state, action) =>
  action.layer === "mask"
    ? { ...state, mask: state.mask.slice() }
    : { ...state, strokes: state.strokes.slice() };

/**
 * Lay a coverage on the layer of `state`, which `copied` made from `before`.
 * @param {State} state
 * @param {State} before
 * @param {Stroke | Fill} action
 * @param {Coverage} coverage
 * @param {Rect} rect
 */
export function put(state, before, action, coverage, rect) {
  const { colour, opacity, erases } = action;
  if (action.layer === "mask") layMask(state.mask, before.mask, coverage, rect, opacity, erases ? 0 : 255);
  else if (erases) erase(state.strokes, before.strokes, coverage, rect, opacity);
  else lay(state.strokes, before.strokes, coverage, rect, colour, opacity);
}

/**
 * @param {State} state
 * @param {Stroke | Fill} action
 * @param {Coverage} coverage
 * @param {Rect} rect
 */
function covered(state, action, coverage, rect) {
  const made = copied(state, action);
  put(made, state, action, coverage, rect);
  return made;
}

/**
 * @param {State} state
 * @param {Fill} action
 * @param {Bases} bases
 */
function filled(state, action, bases) {
  const { width, height } = state;
  const { x, y, tolerance } = action;
  if (x < 0 || y < 0 || x >= width || y >= height) return state;
  const coverage =
    action.layer === "mask"
      ? flood(state.mask, 1, width, height, x, y, tolerance)
      : flood(seen(state, bases), 4, width, height, x, y, tolerance);
  return covered(state, action, coverage, whole(width, height));
}

/**
 * The painting as it is seen, without the mask.
 * @param {State} state
 * @param {Bases} bases
 * @param {Uint8ClampedArray} [out] of the document's size, to be changed
 * @param {Rect} [rect]
 * @returns {Uint8ClampedArray} RGBA, opaque
 */
export function seen(state, bases, out, rect) {
  const { width, height, base, paper } = state;
  const made = out ?? new Uint8ClampedArray(4 * width * height);
  const under = base ? bases.get(base.id)?.data ?? null : null;
  flatten(made, state.strokes, under, paper, width, rect ?? whole(width, height));
  return made;
}

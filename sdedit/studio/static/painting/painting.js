/** The painting: what was done, how much of it is undone, and the state that follows. */

import { apply, copied, empty, put } from "./actions.js";
import { Coverage } from "../pixels/coverage.js";
import { union, whole } from "../pixels/rect.js";

/** @typedef {import("./actions.js").Action} Action */
/** @typedef {import("./actions.js").Stroke} Stroke */
/** @typedef {import("./actions.js").State} State */
/** @typedef {import("../pixels/rect.js").Rect} Rect */

const EVERY = 16; // actions between two states that are kept for undo
const KEPT_BYTES = 192e6; // of states, the nearest first

/** Sends "pixels" with what changed, "adjusted", "action" after a step, and "moved" after undo and redo. */
export class Painting extends EventTarget {
  /** @param {import("./actions.js").Bases} bases */
  constructor(bases) {
    super();
    this.bases = bases;
    /** @type {Action[]} */
    this.actions = [];
    this.cursor = 0; // so many of the actions are done
    this.state = empty(512, 512);
    /** @type {Map<number, State>} states after so many actions */
    this.states = new Map([[0, this.state]]);
    /** @type {{stroke: Stroke, before: State, coverage: Coverage} | null} */
    this.live = null;
  }

  /**
   * Take up what was done before, as it was kept.
   * @param {Action[]} actions
   * @param {number} cursor
   */
  restore(actions, cursor) {
    this.actions = actions;
    this.states = new Map([[0, empty(512, 512)]]);
    this.#go(cursor);
  }

  /** @param {Action} action */
  do(action) {
    this.end();
    const before = this.state;
    this.#push(action, apply(before, action, this.bases));
    if (action.kind !== "t0") this.#changed();
    else if (action.value !== before.t0) this.dispatchEvent(new Event("adjusted"));
  }

  undo() {
    if (!this.end() && this.cursor > 1) this.#go(this.cursor - 1); // the first action is the sheet itself
  }

  redo() {
    if (!this.end() && this.cursor < this.actions.length) this.#go(this.cursor + 1);
  }

  /**
   * Put the pen down.
   * @param {Stroke} stroke with the first point
   */
  begin(stroke) {
    this.end();
    const before = this.state;
    this.live = { stroke, before, coverage: new Coverage(before.width, before.height) };
    this.state = copied(before, stroke);
    this.#drawn(0);
  }

  /**
   * Draw on.
   * @param {number[]} points x, y and pressure of each
   */
  extend(points) {
    if (!this.live) return;
    const { stroke } = this.live;
    const from = stroke.points.length / 3;
    stroke.points.push(...points);
    this.#drawn(from);
  }

  /**
   * Draw a straight line from where the pen was put down.
   * @param {number[]} point
   */
  straighten(point) {
    if (!this.live) return;
    const { stroke, before, coverage } = this.live;
    const old = coverage.rect;
    stroke.points.splice(3, Infinity, ...point);
    coverage.clear();
    this.state = copied(before, stroke);
    this.#drawn(0, old);
  }

  /**
   * Lift the pen.
   * @returns {boolean} whether it was down
   */
  end() {
    if (!this.live) return false;
    const { stroke } = this.live;
    this.live = null;
    this.#push(stroke, this.state);
    return true;
  }

  /** Lift the pen as if it had never been put down. */
  cancel() {
    if (!this.live) return;
    this.state = this.live.before;
    this.live = null;
    this.#changed();
  }

  /**
   * Try a t0 that is no step of undo yet.
   * @param {number} t0
   */
  adjust(t0) {
    this.state = { ...this.state, t0 };
    this.dispatchEvent(new Event("adjusted"));
  }

  /** @returns {State} the same by doing everything again, which must be the same pixels */
  replayed() {
    return this.actions.slice(0, this.cursor).reduce((state, action) => apply(state, action, this.bases), empty(512, 512));
  }

  /**
   * @param {number} from first new point
   * @param {Rect | null} old what has changed besides
   */
  #drawn(from, old = null) {
    const { stroke, before, coverage } = /** @type {NonNullable<Painting["live"]>} */ (this.live);
    const drawn = coverage.draw(stroke.points, stroke.brush, from);
    if (drawn) put(this.state, before, stroke, coverage, drawn);
    const rect = union(old, drawn);
    if (rect) this.#changed(rect);
  }

  /**
   * @param {Action} action
   * @param {State} state
   */
  #push(action, state) {
    for (const n of [...this.states.keys()]) if (n > this.cursor) this.states.delete(n);
    this.actions.length = this.cursor;
    this.actions.push(action);
    this.cursor += 1;
    this.#keep(state);
    this.dispatchEvent(new CustomEvent("action", { detail: action }));
  }

  /** @param {number} cursor */
  #go(cursor) {
    let from = cursor;
    while (!this.states.has(from)) from -= 1;
    let state = /** @type {State} */ (this.states.get(from));
    for (let n = from; n < cursor; n++) {
      state = apply(state, this.actions[n], this.bases);
      if ((n + 1) % EVERY === 0) this.states.set(n + 1, state);
    }
    this.cursor = cursor;
    this.#keep(state);
    this.#changed();
    this.dispatchEvent(new Event("moved"));
  }

  /**
   * Remember the state after `cursor` actions; forget those far away that no undo comes to soon.
   * @param {State} state
   */
  #keep(state) {
    this.state = state;
    this.states.set(this.cursor, state);
    const most = Math.max(EVERY, Math.floor(KEPT_BYTES / (5 * state.width * state.height)));
    const distance = (/** @type {number} */ n) => Math.abs(this.cursor - n) / (n % EVERY ? 1 : EVERY);
    const known = [...this.states.keys()].filter((n) => n > 0).sort((a, b) => distance(a) - distance(b));
    for (const n of known.slice(most)) this.states.delete(n);
  }

  /** @param {Rect} [rect] */
  #changed(rect = whole(this.state.width, this.state.height)) {
    this.dispatchEvent(new CustomEvent("pixels", { detail: rect }));
  }
}

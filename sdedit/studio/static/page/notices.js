/** Sentences that stay until they are read: what went wrong, and what to do. */

import { byId, element } from "./dom.js";

/** @type {Map<string, HTMLElement>} */
const shown = new Map();

/**
 * Show a notice; one of the same kind takes the place of the one before.
 * @param {string} kind
 * @param {string} sentence
 * @param {{label: string, act: () => void}} [remedy] a button beside it
 */
export function notify(kind, sentence, remedy) {
  dismiss(kind);
  const close = element("button", { type: "button", textContent: "Dismiss", onclick: () => dismiss(kind) });
  const help = remedy ? [element("button", { type: "button", textContent: remedy.label, onclick: remedy.act })] : [];
  const notice = element("div", { className: "notice", data: { kind } }, element("span", {}, sentence), ...help, close);
  shown.set(kind, notice);
  byId("notices").append(notice);
}

/** @param {string} kind */
export function dismiss(kind) {
  shown.get(kind)?.remove();
  shown.delete(kind);
}

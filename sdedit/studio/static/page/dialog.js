/** Dialogs: the browser's own, which keep the focus and close on Escape. */

import { byId, element } from "./dom.js";

/**
 * Show a dialog and wait for an answer.
 * @param {string} title
 * @param {(Node | string)[]} content in which a button's value is the answer
 * @returns {Promise<string>} "" if it was closed
 */
export function ask(title, content) {
  const template = /** @type {HTMLTemplateElement} */ (byId("dialog-template"));
  const dialog = /** @type {HTMLDialogElement} */ (/** @type {Element} */ (template.content.firstElementChild).cloneNode(true));
  const heading = /** @type {Element} */ (dialog.querySelector("h2"));
  heading.textContent = title;
  heading.id = "dialog-title";
  dialog.setAttribute("aria-labelledby", heading.id);
  /** @type {Element} */ (dialog.querySelector(".body")).append(...content);
  dialog.autofocus = true; // itself, rather than the button that closes it
  document.body.append(dialog);
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(""); // beside it
  });
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
  });
}

/**
 * A large button of a dialog.
 * @param {string} value the answer
 * @param {string} title
 * @param {string} note
 * @param {Node} [image]
 * @returns {HTMLButtonElement}
 */
export const card = (value, title, note, image) =>
  element("button", { className: "card", value }, ...(image ? [image] : []), element("span", {}, title, element("small", {}, note)));

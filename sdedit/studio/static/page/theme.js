/** Light, dark, or as the system has it. */

import { byId } from "./dom.js";

const KEY = "sdedit-studio-theme";
const CHOICES = ["", "light", "dark"];
const NAMES = ["as the system", "light", "dark"];

export function startTheme() {
  const button = byId("theme");
  const show = (/** @type {string} */ choice) => {
    document.documentElement.dataset.theme = choice;
    button.setAttribute("aria-label", `Colours of the page: ${NAMES[CHOICES.indexOf(choice)]}`);
    button.title = `Light or dark: ${NAMES[CHOICES.indexOf(choice)]}`;
  };
  show(kept());
  button.addEventListener("click", () => {
    const next = CHOICES[(CHOICES.indexOf(document.documentElement.dataset.theme ?? "") + 1) % CHOICES.length];
    show(next);
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // it is then chosen again next time
    }
  });
}

/** @returns {string} */
function kept() {
  try {
    return CHOICES.find((choice) => choice === localStorage.getItem(KEY)) ?? "";
  } catch {
    return ""; // storage is switched off
  }
}

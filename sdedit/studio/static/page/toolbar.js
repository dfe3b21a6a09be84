/** Toolbars: one stop of the Tab key for each, arrow keys inside (WAI-ARIA's roving tabindex). */

const FORWARD = ["ArrowRight", "ArrowDown"];
const BACK = ["ArrowLeft", "ArrowUp"];

/** @param {HTMLElement} bar whose buttons may come and go */
export function rove(bar) {
  const buttons = () => /** @type {HTMLButtonElement[]} */ ([...bar.querySelectorAll("button:not(:disabled)")]);
  const stop = (/** @type {Element | undefined} */ at) => {
    for (const button of buttons()) button.tabIndex = button === at ? 0 : -1;
  };
  const settle = () => {
    const all = buttons();
    if (!all.some((button) => button.tabIndex === 0 && button === document.activeElement)) {
      stop(all.find((button) => button.getAttribute("aria-pressed") === "true") ?? all[0]);
    }
  };
  bar.addEventListener("keydown", (event) => {
    const all = buttons();
    const at = all.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const step = FORWARD.includes(event.key) ? 1 : BACK.includes(event.key) ? -1 : 0;
    const to = event.key === "Home" ? 0 : event.key === "End" ? all.length - 1 : at + step;
    if (at < 0 || to === at) return;
    event.preventDefault();
    const next = all[(to + all.length) % all.length];
    stop(next);
    next.focus();
  });
  bar.addEventListener("focusin", (event) => stop(/** @type {Element} */ (event.target).closest("button") ?? undefined));
  new MutationObserver(settle).observe(bar, { childList: true, subtree: true, attributeFilter: ["aria-pressed", "disabled"] });
  settle();
}

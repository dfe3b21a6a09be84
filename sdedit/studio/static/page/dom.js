/** Short ways to the elements of the page. */

/**
 * @template {Element} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export const byId = (id) => /** @type {any} */ (document.getElementById(id));

/**
 * @param {string} tag
 * @param {{[name: string]: any}} [properties] of the element; `data` goes into its dataset, `aria` into attributes
 * @param {(Node | string)[]} children
 * @returns {any}
 */
export function element(tag, { data = {}, aria = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  Object.assign(made.dataset, data);
  for (const [name, value] of Object.entries(aria)) made.setAttribute(`aria-${name}`, value);
  made.append(...children);
  return made;
}

/**
 * @param {string} name of a symbol in the page
 * @returns {SVGElement}
 */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const made = document.createElementNS(space, "svg");
  made.setAttribute("class", "icon");
  made.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#i-${name}`);
  made.append(use);
  return made;
}

/**
 * @param {Element} button
 * @param {boolean} pressed
 */
export const press = (button, pressed) => button.setAttribute("aria-pressed", String(pressed));

/** @param {Element | null} at @returns {boolean} whether keys are typed into it */
export const isField = (at) => at instanceof HTMLElement && at.matches("input:not([type=range], [type=checkbox]), select, textarea");

/**
 * A sentence for screen readers.
 * @param {string} sentence
 */
export function announce(sentence) {
  byId("announce").textContent = sentence;
}

/** t0, with what it means: the noise level, the useful range, and what to expect. */

import { Refusal, suggest } from "../server/api.js";
import { byId } from "./dom.js";
import { notify } from "./notices.js";

/** @typedef {import("../server/api.js").Model} Model */

const USEFUL = [0.3, 0.6]; // the paper's range (Meng et al. 2021)
/** What to expect up to each t0. */
const EXPECT = /** @type {[number, string][]} */ ([
  [0.2, "the strokes, a little softened"],
  [0.3, "the strokes, with some texture"],
  [0.6, "their layout and colours, in light and texture"],
  [0.8, "their colours, loosely"],
  [1, "a landscape of its own"],
]);

/**
 * @param {import("../painting/painting.js").Painting} painting
 * @param {import("../server/live.js").Live} live
 * @param {import("../server/order.js").Orders} orders
 * @param {() => Model | undefined} model the one in use
 */
export function startStrength(painting, live, orders, model) {
  const input = /** @type {HTMLInputElement} */ (byId("t0"));
  const [low, high] = USEFUL.map((t0) => ((t0 - Number(input.min)) / (Number(input.max) - Number(input.min))) * 100);
  const useful = byId("useful");
  useful.style.left = `calc(8px + (100% - 16px) * ${low / 100})`; // the slider's knob is 16 px wide
  useful.style.width = `calc((100% - 16px) * ${(high - low) / 100})`;

  const show = () => {
    const { t0 } = painting.state;
    if (input.valueAsNumber !== t0) input.value = String(t0);
    byId("t0-value").textContent = t0.toFixed(2);
    const sigma = model()?.sigmas[Math.round(100 * t0)];
    const words = EXPECT.find(([most]) => t0 <= most)?.[1] ?? "";
    byId("t0-note").textContent = `${sigma === undefined ? "" : `Noise level ${sigma.toPrecision(2)}: `}${words}.`;
    byId("suggest").hidden = !model()?.calibrated || painting.state.base?.role === "edit";
  };
  input.addEventListener("input", () => {
    live.draw(true);
    painting.adjust(input.valueAsNumber);
  });
  input.addEventListener("change", () => {
    painting.do({ kind: "t0", value: input.valueAsNumber });
    live.draw(false);
  });
  byId("suggest").addEventListener("click", async () => {
    try {
      const order = await orders.current();
      const name = model()?.name;
      if (!order) return;
      const t0 = await suggest(order.body, name ? { model: name } : {});
      painting.do({ kind: "t0", value: Math.round(100 * t0) / 100 });
    } catch (error) {
      notify("suggest", error instanceof Refusal ? error.message : "The server is not there; ask again when it is.");
    }
  });
  for (const event of ["pixels", "moved", "action", "adjusted"]) painting.addEventListener(event, show);
  return show;
}

/** What is going on, in words: the painting, whether it is kept, and how far the image is. */

import { byId } from "./dom.js";

/**
 * @param {import("../server/live.js").Live} live
 * @param {import("../painting/painting.js").Painting} painting
 * @param {import("../keeping/keeper.js").Keeper | null} keeper
 */
export function startStatus(live, painting, keeper) {
  const pane = byId("result-pane");
  const progress = /** @type {HTMLProgressElement} */ (byId("progress"));
  const say = (/** @type {string} */ words, /** @type {string} */ state) => {
    byId("status").textContent = words;
    pane.dataset.state = state;
    progress.hidden = byId("stop").hidden = state !== "painting";
  };
  const on = (/** @type {string} */ event, /** @type {(detail: any) => void} */ act) =>
    live.addEventListener(event, (sent) => act(/** @type {CustomEvent} */ (sent).detail));

  on("started", ({ seed, steps }) => {
    [progress.value, progress.max] = [0, steps];
    say(`Painting 0/${steps} · seed ${seed}`, "painting");
  });
  on("preview", ({ step, of, seed }) => {
    [progress.value, progress.max] = [step, of];
    say(`Painting ${step}/${of} · seed ${seed}`, "painting");
  });
  on("painted", ({ seconds, seed, t0, recipe, task }) => {
    const size = task === "paint" ? [`${recipe.width} × ${recipe.height}`] : []; // of an edit that of its region
    say([`${seconds.toFixed(2)} s`, ...size, `t0 ${t0}`, `seed ${seed}`].join(" · "), live.current ? "done" : "painting");
  });
  on("idle", () => say("Paint over the photograph: what you paint becomes part of it.", "done"));
  on("problem", (message) => say(message, "failed"));
  on("stopped", () => say("Stopped. The next stroke goes on, or Enter.", "waiting"));
  on("gone", () => say("The server is gone; your work is kept. Waiting for it to come back …", "waiting"));
  on("back", () => say("The server is back.", "waiting"));
  on("changed", () => {
    if (!live.on) say("Changed since. Enter paints it.", "waiting");
    else if (pane.dataset.state === "done") pane.dataset.state = "painting";
  });
  byId("stop").addEventListener("click", () => live.stop());

  const note = () => {
    const { width, height, base } = painting.state;
    const what = base ? { guide: "Image and strokes", edit: "Photograph and strokes" }[base.role] : "Strokes";
    const untouched = painting.actions.length === 1 && !base;
    const hint = "Paint over this: the image follows your brush";
    byId("document-note").textContent = untouched ? hint : `${what} · ${width} × ${height}`;
  };
  for (const event of ["action", "moved"]) painting.addEventListener(event, note);
  note();

  const kept = byId("kept");
  const keeping = (/** @type {string} */ state, /** @type {string} */ words) => {
    kept.dataset.state = state;
    kept.textContent = words;
  };
  painting.addEventListener("action", () => keeping("writing", "…"));
  keeper?.addEventListener("kept", () => keeping("kept", "kept in this browser"));
  keeper?.addEventListener("failed", () => keeping("failed", "not kept"));
  keeping(keeper ? "kept" : "failed", keeper ? "kept in this browser" : "not kept");
}

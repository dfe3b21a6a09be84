/**
 * Puts the studio together: what was kept, the parts of the page, and what follows from what.
 *
 *     pixels/     numbers: coverage, blending, floods, PNG files
 *     painting/   actions and the states they give, undo, settings, the guides to start from
 *     keeping/    the browser's storage, and files of paintings
 *     server/     what is asked of the server, when, and which answers count
 *     page/       elements: canvases, pointers, keys, panels, dialogs
 */

import { Bases } from "./page/bases.js";
import { offerToBegin } from "./page/beginning.js";
import { Brushwork } from "./page/brushwork.js";
import { startControls } from "./page/controls.js";
import { byId } from "./page/dom.js";
import { History } from "./page/history.js";
import { startGround } from "./page/ground.js";
import { startIncoming } from "./page/incoming.js";
import { KeyboardCursor } from "./page/keyboard_cursor.js";
import { Models } from "./page/models.js";
import { notify } from "./page/notices.js";
import { startPalette } from "./page/palette.js";
import { Pointers } from "./page/pointer.js";
import { SUFFIX, offerToSave } from "./page/saving.js";
import { startSeed } from "./page/seed.js";
import { Sheet } from "./page/sheet.js";
import { startShortcuts } from "./page/shortcuts.js";
import { Shown } from "./page/shown.js";
import { startStatus } from "./page/status.js";
import { startStrength } from "./page/strength.js";
import { startTheme } from "./page/theme.js";
import { Variants } from "./page/variants.js";
import { View } from "./page/view.js";
import { Keeper } from "./keeping/keeper.js";
import { read, written } from "./keeping/painting_file.js";
import { Store, newId } from "./keeping/store.js";
import { begun, readGuides } from "./painting/guides.js";
import { Painting } from "./painting/painting.js";
import { Settings } from "./painting/settings.js";
import { Live } from "./server/live.js";
import { Orders } from "./server/order.js";

/** @typedef {import("./keeping/store.js").Original} Original */
/** @typedef {import("./server/live.js").Result} Result */

startTheme();
const session = newId();
/** @type {Map<string, Original>} */
const originals = new Map();
const painting = new Painting(new Map());
const settings = new Settings();
const store = await Store.open().catch(() => null); // as in some private windows
const keeper = store && new Keeper(store, painting, settings);
const bases = new Bases(painting, settings, originals, store);
const view = new View();
const sheet = new Sheet(painting, view);
const shown = new Shown(painting, settings, view, originals);
const brushwork = new Brushwork(painting, settings, view, { sheet, shown });
const pointers = new Pointers(view, brushwork);
const keyboard = new KeyboardCursor(view, brushwork);
const orders = new Orders(painting, settings, originals);
const live = new Live(orders, session);
const models = new Models(settings);
const history = new History(store, painting, settings);
const variants = new Variants(orders, settings, session);

/** For tests, and for the curious in a browser's console. */
export const studio = { painting, settings, view, shown, live, orders, keeper, history, originals, models };

const guides = await readGuides();
await restore();
sheet.show();
startControls(settings, painting);
startPalette(settings);
startSeed(settings, painting);
startGround(painting);
const showStrength = startStrength(painting, live, orders, () => models.current);
startStatus(live, painting, keeper);
const choose = startIncoming(open);
wire();
await history.start();
document.body.dataset.state = "ready"; // everything can be used
await models.load();
showStrength();
live.turn(settings.values.live);
live.touch();

/** Take up what this browser was painting, or begin with a guide. */
async function restore() {
  const last = await keeper?.last().catch(failedToKeep);
  keeper?.start();
  if (!last) return painting.do(begun(guides[0]));
  await bases.load(last.actions);
  settings.restore(last.head.settings);
  painting.restore(last.actions, last.head.cursor);
  if (last.copied) notify("copy", "This painting is open in another tab. Here is a copy of it; both are kept.");
}

function wire() {
  painting.addEventListener("pixels", () => {
    if (painting.live?.stroke.layer !== "mask") live.touch(); // a mask is sent when its stroke is done
  });
  painting.addEventListener("adjusted", () => live.touch());
  painting.addEventListener("action", (event) => {
    const { kind, layer } = /** @type {CustomEvent} */ (event).detail;
    if (kind === "stroke" && layer === "mask") live.touch();
  });
  settings.addEventListener("change", (event) => {
    const name = /** @type {CustomEvent} */ (event).detail;
    if (name === "live") live.turn(settings.values.live);
    if (name === "seed" || name === "model") live.touch();
    showStrength();
  });
  brushwork.addEventListener("drawing", () => live.draw(true));
  brushwork.addEventListener("drawn", () => live.draw(false));
  live.addEventListener("preview", (event) => shown.preview(/** @type {CustomEvent} */ (event).detail));
  live.addEventListener("idle", () => shown.blank());
  live.addEventListener("changed", () => history.unseen());
  live.addEventListener("back", () => models.load().catch(() => {})); // it may have others now
  live.addEventListener("painted", (event) => {
    const result = /** @type {CustomEvent} */ (event).detail;
    shown.show(result);
    if (live.current) history.seen(result);
  });
  variants.addEventListener("chosen", (event) => take(/** @type {CustomEvent} */ (event).detail));
  history.addEventListener("restore", (event) => goBack(/** @type {CustomEvent} */ (event).detail));
  history.addEventListener("failed", (event) => failedToKeep(/** @type {CustomEvent} */ (event).detail));
  keeper?.addEventListener("failed", (event) => failedToKeep(/** @type {CustomEvent} */ (event).detail));
  addEventListener("beforeunload", (event) => {
    if (painting.actions.length > 1 && (!keeper || keeper.failed)) event.preventDefault(); // it would be lost
  });
  if (!store) failedToKeep(new Error("it has no storage for this page"));
  startShortcuts({ settings, painting, view, shown, live, pointers, keyboard, variants, commands: { save } });
  byId("new").addEventListener("click", begin);
  byId("save").addEventListener("click", save);
  byId("open").addEventListener("click", () => choose());
  byId("base-open").addEventListener("click", () => choose());
  byId("sample").addEventListener("click", () => choose((file) => bases.sample(file)));
  byId("use-result").addEventListener("click", useResult);
  byId("large").addEventListener("click", () => live.paint(models.size));
}

function begin() {
  return offerToBegin(painting, guides);
}

function save() {
  const original = originals.get(painting.state.base?.id ?? "");
  return offerToSave(shown.result, original, () => written(painting, settings.values, originals));
}

/** @param {File} file that was opened, dropped or pasted */
async function open(file) {
  if (!file.name.endsWith(SUFFIX)) return bases.offer(file);
  try {
    const { actions, settings: kept, originals: images } = await read(await file.text());
    for (const image of images) {
      bases.take(image);
      await store?.keepOriginal(image);
    }
    settings.restore(kept);
    beginAs(actions);
  } catch (error) {
    notify("open", `${file.name} cannot be opened: ${/** @type {Error} */ (error).message}`);
  }
}

/** The image as the next photograph. */
function useResult() {
  if (shown.result) bases.offer(new File([shown.result.image], "image.png", { type: "image/png" }));
}

/**
 * A variant in place of the image; painted of the same strokes, it is the image already.
 * @param {Result} result
 */
function take(result) {
  const same = shown.result?.recipe.guide === result.recipe.guide && shown.result?.t0 === result.t0;
  if (!same) return settings.set("seed", result.seed);
  live.adopt(() => settings.set("seed", result.seed));
  shown.show(result);
  history.remember(result);
}

/** @param {import("./keeping/store.js").Entry} entry */
async function goBack(entry) {
  await bases.load(entry.actions);
  settings.set("model", entry.settings.model);
  settings.set("seed", entry.result.seed);
  beginAs(entry.actions);
}

/**
 * Begin a painting that has what `actions` did, as one step of undo.
 * @param {import("./painting/actions.js").Action[]} actions of which the first is a start
 */
function beginAs([first, ...rest]) {
  if (first.kind === "start") painting.do({ ...first, actions: [...first.actions, ...rest] });
}

/** @param {Error} error */
function failedToKeep(error) {
  notify("storage", `The painting cannot be kept in this browser: ${error.message}. Save it as a file.`, { label: "Save", act: save });
}

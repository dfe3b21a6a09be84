/** Files that leave the page: the image with its recipe, what it was made of, and the painting itself. */

import { fileOf } from "../server/api.js";
import { ask, card } from "./dialog.js";
import { element } from "./dom.js";
import { notify } from "./notices.js";

/** @typedef {import("../server/live.js").Result} Result */
/** @typedef {import("../keeping/store.js").Original} Original */

export const SUFFIX = ".sdedit.json";

/**
 * @param {string} name
 * @param {BlobPart} content
 * @param {string} type
 */
export function download(name, content, type) {
  const href = URL.createObjectURL(new Blob([content], { type }));
  element("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

/** @param {Result} result */
export function saveImage(result) {
  const { recipe, image, task, seed } = result;
  const stem = recipe.guide.replace(/\.[^.]*$/, "").replace(/^strokes-/, "");
  download(`${task === "edit" ? "edited" : "painted"}-${stem}-${seed}.png`, image, "image/png");
}

/**
 * What `sdedit replay` needs beside the image.
 * @param {Result} result
 * @param {Original | undefined} original of an edit
 */
export async function saveSources(result, original) {
  const { recipe, task, body, files } = result;
  if (task === "paint") return download(recipe.guide, body, "image/png");
  if (original) download(recipe.guide, original.file, original.file.type);
  for (const [field, name] of [["strokes", recipe.layer], ["mask", recipe.mask]]) {
    if (name && files[field]) download(name, await fileOf(files[field]), "image/png");
  }
}

/**
 * @param {Result | null} result
 * @param {Original | undefined} original
 * @param {() => Promise<string>} written the painting as a text
 */
export async function offerToSave(result, original, written) {
  const sources = result?.task === "edit" ? "Photograph, strokes and mask" : "Guide";
  const choices = [
    ...(result
      ? [
          card("image", "Image", "PNG, with the recipe that made it inside."),
          card("sources", sources, "PNG, what the image was made of: sdedit replay makes it again."),
        ]
      : []),
    card("painting", "Painting", "Every stroke and setting, to go on elsewhere or later."),
  ];
  const choice = await ask("Save", [element("div", { className: "cards" }, ...choices)]);
  try {
    if (choice === "image" && result) saveImage(result);
    if (choice === "sources" && result) await saveSources(result, original);
    if (choice === "painting") download(`painting${SUFFIX}`, await written(), "application/json");
  } catch (error) {
    notify("saving", `This could not be saved: ${/** @type {Error} */ (error).message}`);
  }
}

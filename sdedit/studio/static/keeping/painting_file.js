/** A painting as a file: every action, the settings, and the images under the strokes. */

import { keepPicture, pixelsOf } from "../server/api.js";
import { newId } from "./store.js";

/** @typedef {import("../painting/actions.js").Action} Action */
/** @typedef {import("./store.js").Original} Original */

const PROGRAM = "sdedit studio";

/**
 * @param {import("../painting/painting.js").Painting} painting
 * @param {import("../painting/settings.js").Values} settings
 * @param {Map<string, Original>} originals
 * @returns {Promise<string>}
 */
export async function written(painting, settings, originals) {
  const { actions, cursor } = painting;
  const needed = [...originals.values()].filter(({ id }) => refersTo(actions, id));
  const images = await Promise.all(
    needed.map(async ({ id, file, name, pixels }) => ({
      id,
      name,
      longest: Math.max(pixels.width, pixels.height),
      type: file.type,
      file: base64(new Uint8Array(await file.arrayBuffer())),
    })),
  );
  return JSON.stringify({ program: PROGRAM, actions, cursor, settings, images });
}

/**
 * @param {string} text
 * @returns {Promise<{actions: Action[], settings: object, originals: Original[]}>} only what is done, not what is undone
 * @throws {Error} if it is no such file
 */
export async function read(text) {
  const { program, actions, cursor, settings, images } = JSON.parse(text);
  if (program !== PROGRAM || actions?.[0]?.kind !== "start") throw new Error("this file is no painting of the studio");
  const originals = [];
  const ids = new Map();
  for (const { id, name, longest, type, file } of images) {
    const blob = new Blob([Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0))], { type });
    const picture = await keepPicture(blob);
    const original = { id: newId(), file: blob, name, picture: picture.id, width: picture.width };
    originals.push({ ...original, pixels: await pixelsOf(picture.id, longest) });
    ids.set(id, original.id);
  }
  return { actions: renamed(actions.slice(0, cursor), ids), settings, originals };
}

/**
 * @param {Action[]} actions
 * @param {string} id of a base
 * @returns {boolean}
 */
const refersTo = (actions, id) =>
  actions.some((action) => action.kind === "start" && (action.base?.id === id || refersTo(action.actions, id)));

/**
 * @param {Action[]} actions
 * @param {Map<string, string>} ids of bases
 * @returns {Action[]}
 */
const renamed = (actions, ids) =>
  actions.map((action) => {
    if (action.kind !== "start") return action;
    const base = action.base && { ...action.base, id: ids.get(action.base.id) ?? action.base.id };
    return { ...action, base, actions: renamed(action.actions, ids) };
  });

/** @param {Uint8Array} bytes */
function base64(bytes) {
  let letters = "";
  for (let at = 0; at < bytes.length; at += 0x8000) letters += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(letters);
}

/** The server's calls (docs/studio-api.md). */

/**
 * @typedef {object} Model
 * @property {string} name
 * @property {number} px its native size
 * @property {number} multiple of which sides must be
 * @property {boolean} calibrated whether it can suggest a t0
 * @property {number[]} sigmas sigma(t0) for t0 = 0, 0.01, …, 1
 *
 * @typedef {object} Status
 * @property {string} version
 * @property {"loading" | "ready"} state
 * @property {string} device
 * @property {Model[]} models
 * @property {{size: number}} limits
 *
 * @typedef {{[name: string]: string | number}} Query
 * @typedef {{event: string, [field: string]: any}} Line of a stream
 */

/** What the server refused, in its own sentence. */
export class Refusal extends Error {
  /**
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * @param {string} path below api/
 * @param {Query} query
 * @param {RequestInit} [init]
 * @returns {Promise<Response>} one of success
 * @throws {Refusal} if the server refused
 * @throws {TypeError} if it was not reached
 */
async function ask(path, query = {}, init = {}) {
  const words = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
  const response = await fetch(`/api/${path}?${words}`, init);
  if (response.ok) return response;
  const { error } = await response.json().catch(() => ({}));
  throw new Refusal(response.status, error ?? `the server answered with status ${response.status}`);
}

/** @returns {Promise<Status>} */
export const status = async () => (await ask("status")).json();

/**
 * @param {Blob} file
 * @returns {Promise<{id: string, width: number, height: number, note: string}>}
 */
export const keepPicture = async (file) => (await ask("pictures", {}, { method: "POST", body: file })).json();

/**
 * @param {string} id
 * @param {number} longest most pixels of a side
 * @returns {Promise<import("../painting/actions.js").Pixels>}
 */
export async function pixelsOf(id, longest) {
  const response = await ask(`pictures/${id}`, { longest });
  const [width, height] = ["X-Width", "X-Height"].map((name) => Number(response.headers.get(name)));
  return { width, height, data: new Uint8ClampedArray(await response.arrayBuffer()) };
}

/**
 * @param {string} id
 * @returns {Promise<Blob>} the file as it was sent
 */
export const fileOf = async (id) => (await ask(`pictures/${id}/file`)).blob();

/**
 * @param {Uint8Array} guide a PNG file
 * @param {Query} query
 * @returns {Promise<number>} a t0 that suits it
 */
export const suggest = async (guide, query) => (await (await ask("suggest", query, { method: "POST", body: guide })).json()).t0;

/**
 * @param {Blob} photograph
 * @param {number} size shorter side of the strokes
 * @returns {Promise<Blob>} a PNG file of simulated strokes
 */
export const simulated = async (photograph, size) =>
  (await ask("strokes", { size }, { method: "POST", body: photograph })).blob();

/**
 * Paint or edit, and read what is said of it line by line.
 * @param {"paint" | "edit"} task
 * @param {Uint8Array} body a PNG file
 * @param {Query} query
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<Line>}
 */
export async function* painted(task, body, query, signal) {
  const headers = { Accept: "application/x-ndjson" };
  const response = await ask(task, query, { method: "POST", body, headers, signal });
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = /** @type {string} */ (lines.pop());
    for (const line of lines) yield JSON.parse(line);
  }
}

/**
 * @param {string} base64
 * @returns {Uint8Array}
 */
export const bytes = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

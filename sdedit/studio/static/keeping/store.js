/**
 * What is kept in this browser, in IndexedDB: each action as it is done, the images under the strokes, the history.
 * A write counts only when it is on the disk (durability "strict"), so that a crash of the browser loses nothing.
 */

/** @typedef {import("../painting/actions.js").Action} Action */
/** @typedef {import("../painting/settings.js").Values} Values */

/**
 * A painting as it is kept, without its actions.
 * @typedef {{id: string, cursor: number, length: number, settings: Values, changed: number}} Head
 *
 * An image under strokes: its file as it was dropped, its width, the server's name for it, and its pixels at the
 * painting's size.
 * @typedef {object} Original
 * @property {string} id
 * @property {Blob} file
 * @property {string} name
 * @property {string} picture
 * @property {number} width
 * @property {import("../painting/actions.js").Pixels} pixels
 *
 * A result and all that made it.
 * @typedef {object} Entry
 * @property {number} [id]
 * @property {number} time in milliseconds since 1970
 * @property {boolean} pinned
 * @property {Action[]} actions
 * @property {Values} settings
 * @property {number} t0
 * @property {import("../server/live.js").Result} result
 */

const NAME = "sdedit-studio";
const VERSION = 1;

/** @returns {string} an id that no other painting has */
export const newId = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export class Store {
  /** @param {IDBDatabase} database */
  constructor(database) {
    this.database = database;
  }

  /** @returns {Promise<Store>} */
  static async open() {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      const database = request.result;
      database.createObjectStore("documents", { keyPath: "id" });
      database.createObjectStore("actions"); // by [document, number]
      database.createObjectStore("originals", { keyPath: "id" });
      database.createObjectStore("history", { keyPath: "id", autoIncrement: true });
    };
    return new Store(await done(request));
  }

  /**
   * Keep an action that was done and forget those that were undone before it.
   * @param {Head} head after it
   * @param {Action} action
   */
  async append(head, action) {
    const number = head.length - 1;
    await this.#write(["documents", "actions"], (documents, actions) => {
      actions.delete(IDBKeyRange.bound([head.id, number], [head.id, Infinity]));
      actions.put(action, [head.id, number]);
      documents.put(head);
    });
  }

  /** @param {Head} head */
  async keep(head) {
    await this.#write(["documents"], (documents) => documents.put(head));
  }

  /**
   * Keep a whole painting under a name of its own.
   * @param {Head} head
   * @param {Action[]} all
   */
  async copy(head, all) {
    await this.#write(["documents", "actions"], (documents, actions) => {
      all.forEach((action, number) => actions.put(action, [head.id, number]));
      documents.put(head);
    });
  }

  /** @returns {Promise<Head[]>} the paintings, the one changed last first */
  async heads() {
    const heads = /** @type {Head[]} */ (await this.#read("documents", (store) => store.getAll()));
    return heads.sort((a, b) => b.changed - a.changed);
  }

  /**
   * @param {string} id of a painting
   * @returns {Promise<Action[]>}
   */
  actions(id) {
    return this.#read("actions", (store) => store.getAll(IDBKeyRange.bound([id, 0], [id, Infinity])));
  }

  /** @param {Original} original */
  async keepOriginal(original) {
    await this.#write(["originals"], (store) => store.put(original));
  }

  /**
   * @param {string} id
   * @returns {Promise<Original | undefined>}
   */
  original(id) {
    return this.#read("originals", (store) => store.get(id));
  }

  /** @returns {Promise<Required<Entry>[]>} the newest first */
  async history() {
    return (await this.#read("history", (store) => store.getAll())).reverse();
  }

  /**
   * @param {Entry} entry
   * @returns {Promise<number>} its id
   */
  async record(entry) {
    /** @type {IDBRequest | undefined} */
    let request;
    await this.#write(["history"], (store) => {
      request = store.put(entry);
    });
    return request?.result;
  }

  /** @param {number[]} ids of entries */
  async forget(ids) {
    await this.#write(["history"], (store) => ids.forEach((id) => store.delete(id)));
  }

  /**
   * @param {string[]} names of stores
   * @param {(...stores: IDBObjectStore[]) => void} put
   */
  #write(names, put) {
    const transaction = this.database.transaction(names, "readwrite", { durability: "strict" });
    put(...names.map((name) => transaction.objectStore(name)));
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(undefined);
      transaction.onabort = () => reject(transaction.error);
    });
  }

  /**
   * @param {string} name of a store
   * @param {(store: IDBObjectStore) => IDBRequest} get
   */
  #read(name, get) {
    return done(get(this.database.transaction(name).objectStore(name)));
  }
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

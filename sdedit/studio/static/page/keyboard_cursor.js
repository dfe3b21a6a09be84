/** A cursor on the canvas that arrow keys move and that paints as a pointer does. */

import { announce, byId } from "./dom.js";

const STEP = 16; // pixels of the document; with Shift, 1

export class KeyboardCursor {
  /**
   * @param {import("./view.js").View} view
   * @param {import("./brushwork.js").Brushwork} brushwork
   */
  constructor(view, brushwork) {
    this.view = view;
    this.brushwork = brushwork;
    /** @type {number[] | null} x, y and pressure, once it was used */
    this.at = null;
    this.isDown = false;
    view.canvas.addEventListener("keydown", (event) => this.#key(event));
    view.canvas.addEventListener("blur", () => {
      view.canvas.classList.remove("pointed");
      this.#lift();
    });
    view.pane.addEventListener("pointerdown", () => this.#show(false));
  }

  /** Put the pen down, or lift it. */
  toggle() {
    const at = (this.at ??= this.#middle());
    this.#show(true);
    if (this.isDown) return this.#lift();
    this.brushwork.down(at, {});
    if (this.brushwork.mode === "none") return; // a fill is done at once
    if (this.brushwork.mode === "pick") return this.brushwork.up();
    this.isDown = true;
    this.#show(true);
    announce("Pen down");
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    this.view.canvas.classList.remove("pointed");
    const { key, shiftKey, ctrlKey, metaKey, altKey } = event;
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key] ?? [0, 0];
    if ((!dx && !dy) || ctrlKey || metaKey || altKey) return;
    event.preventDefault();
    const [x, y] = this.at ?? this.#middle();
    const step = shiftKey ? 1 : STEP;
    const within = (/** @type {number} */ value, /** @type {number} */ most) => Math.min(Math.max(value, 0), most);
    this.at = [within(x + step * dx, this.view.width), within(y + step * dy, this.view.height), 1];
    this.brushwork.move([this.at]);
    this.#show(true);
  }

  #lift() {
    if (!this.isDown) return;
    this.isDown = false;
    this.brushwork.up();
    this.#show(true);
    announce("Pen up");
  }

  /** @param {boolean} used */
  #show(used) {
    byId("cursor").classList.toggle("keyboard", used);
    byId("cursor").classList.toggle("down", this.isDown);
  }

  /** @returns {number[]} */
  #middle() {
    return [this.view.width / 2, this.view.height / 2, 1];
  }
}

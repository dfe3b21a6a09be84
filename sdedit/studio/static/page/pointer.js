/** Mouse, pen and fingers on the canvas: what paints, what moves the view, and what is ignored. */

/** @typedef {import("./brushwork.js").Brushwork} Brushwork */
/** @typedef {import("./view.js").View} View */

const SECOND_FINGER = 350; // milliseconds within which it makes a stroke a movement of two fingers
const ERASER = 32; // the bit of `buttons` of a pen's other end

export class Pointers {
  /**
   * @param {View} view
   * @param {Brushwork} brushwork
   */
  constructor(view, brushwork) {
    this.view = view;
    this.brushwork = brushwork;
    this.penSeen = false; // then fingers move the view only
    this.panning = false; // the space bar is held
    /** @type {{id: number, type: string, since: number, sheet: Element} | null} the one that paints */
    this.painter = null;
    this.last = { clientX: 0, clientY: 0 }; // where it was
    /** @type {Map<number, {clientX: number, clientY: number}>} those that move the view */
    this.movers = new Map();
    for (const pane of [view.pane, view.other]) {
      pane.addEventListener("pointerdown", (event) => this.#down(event, pane));
      pane.addEventListener("pointermove", (event) => this.#move(event, pane));
      pane.addEventListener("pointerup", (event) => this.#up(event));
      pane.addEventListener("pointercancel", (event) => this.#up(event));
      pane.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
      pane.addEventListener("contextmenu", (event) => event.preventDefault()); // of a pen's button, or a long touch
      pane.addEventListener("pointerleave", () => brushwork.hover(null));
    }
  }

  /**
   * @param {PointerEvent} event
   * @param {HTMLElement} pane
   */
  #down(event, pane) {
    const { pointerType, pointerId, button, buttons } = event;
    if (pointerType === "pen") this.penSeen = true;
    if (pointerType === "touch" && this.painter && this.painter.type !== "touch") return; // a palm beside the pen
    event.preventDefault();
    this.view.canvas.classList.add("pointed"); // no ring round it, whoever gives it the focus
    this.view.canvas.focus({ preventScroll: true });
    pane.setPointerCapture(pointerId);
    const onResult = pane === this.view.other;
    const picks = event.altKey || this.brushwork.picks;
    const finger = pointerType === "touch" && (this.penSeen || this.movers.size > 0 || this.painter !== null);
    if (finger || button === 1 || (button === 0 && (this.panning || (onResult && !picks)))) {
      this.#takeOver();
      this.movers.set(pointerId, { clientX: event.clientX, clientY: event.clientY });
    } else if ((button === 0 || buttons & ERASER) && !this.painter) {
      this.last = { clientX: event.clientX, clientY: event.clientY };
      this.painter = { id: pointerId, type: pointerType, since: event.timeStamp, sheet: this.#sheetOf(pane) };
      const how = { erases: Boolean(buttons & ERASER), straight: event.shiftKey, picks, onResult };
      this.brushwork.down(this.#point(event, this.painter.sheet), how);
    }
  }

  /** A second finger: the first one moves the view, too, if it has only just begun to paint. */
  #takeOver() {
    if (this.painter?.type !== "touch") return;
    if (performance.now() - this.painter.since < SECOND_FINGER) {
      this.brushwork.cancel();
      this.movers.set(this.painter.id, this.last);
    } else this.brushwork.up();
    this.painter = null;
  }

  /**
   * @param {PointerEvent} event
   * @param {HTMLElement} pane
   */
  #move(event, pane) {
    const { painter } = this;
    if (painter?.id === event.pointerId) {
      this.last = { clientX: event.clientX, clientY: event.clientY };
      const events = event.getCoalescedEvents?.() ?? [];
      this.brushwork.move((events.length ? events : [event]).map((each) => this.#point(each, painter.sheet)));
    } else if (this.movers.has(event.pointerId)) this.#drag(event);
    else if (event.pointerType !== "touch") this.brushwork.hover(this.#point(event, this.#sheetOf(pane)));
  }

  /** @param {PointerEvent} event */
  #drag({ pointerId, clientX, clientY }) {
    const before = [...this.movers.values()];
    this.movers.set(pointerId, { clientX, clientY });
    const after = [...this.movers.values()];
    const [was, is] = [middle(before), middle(after)];
    this.view.pan(is.clientX - was.clientX, is.clientY - was.clientY);
    if (after.length > 1) this.view.magnify(spread(after) / spread(before), is);
  }

  /** @param {PointerEvent} event */
  #up({ pointerId }) {
    this.movers.delete(pointerId);
    if (this.painter?.id !== pointerId) return;
    this.painter = null;
    this.brushwork.up();
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1;
    if (event.shiftKey) this.view.pan(-unit * (event.deltaX + event.deltaY), 0);
    else this.view.magnify(Math.exp((event.ctrlKey ? -0.01 : -0.0016) * unit * event.deltaY), event);
  }

  /** @param {HTMLElement} pane */
  #sheetOf(pane) {
    return pane === this.view.other ? this.view.otherSheet : this.view.canvas;
  }

  /**
   * @param {PointerEvent} event
   * @param {Element} sheet
   * @returns {number[]} x and y on the document, and the pressure of a pen; 1 of all else
   */
  #point(event, sheet) {
    return [...this.view.point(event, sheet), event.pointerType === "pen" ? event.pressure : 1];
  }
}

/**
 * @param {{clientX: number, clientY: number}[]} points
 */
const middle = (points) => ({
  clientX: points.reduce((sum, { clientX }) => sum + clientX, 0) / points.length,
  clientY: points.reduce((sum, { clientY }) => sum + clientY, 0) / points.length,
});

/**
 * @param {{clientX: number, clientY: number}[]} points of which the first two count
 * @returns {number} their distance
 */
const spread = ([a, b]) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) || 1;

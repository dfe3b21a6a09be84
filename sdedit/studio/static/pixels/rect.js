/** Rectangles of pixels, [left, top, right, bottom), as parts of a document that changed. */

/** @typedef {{left: number, top: number, right: number, bottom: number}} Rect */

/**
 * The whole of a document.
 * @param {number} width
 * @param {number} height
 * @returns {Rect}
 */
export const whole = (width, height) => ({ left: 0, top: 0, right: width, bottom: height });

/**
 * The smallest rectangle that holds both; either may be null, for nothing.
 * @param {Rect | null} a
 * @param {Rect | null} b
 * @returns {Rect | null}
 */
export function union(a, b) {
  if (!a || !b) return a || b;
  return {
    left: Math.min(a.left, b.left),
    top: Math.min(a.top, b.top),
    right: Math.max(a.right, b.right),
    bottom: Math.max(a.bottom, b.bottom),
  };
}

/**
 * The pixels of a document that a box of real numbers touches, or null if it lies outside.
 * @param {number} left
 * @param {number} top
 * @param {number} right
 * @param {number} bottom
 * @param {number} width
 * @param {number} height
 * @returns {Rect | null}
 */
export function within(left, top, right, bottom, width, height) {
  const rect = {
    left: Math.max(0, Math.floor(left)),
    top: Math.max(0, Math.floor(top)),
    right: Math.min(width, Math.ceil(right)),
    bottom: Math.min(height, Math.ceil(bottom)),
  };
  return rect.left < rect.right && rect.top < rect.bottom ? rect : null;
}

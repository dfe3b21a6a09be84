/**
 * PNG files of 8 bits a channel, written and read without a canvas: browsers that guard against fingerprinting change
 * what is read back from one.
 */

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const COLOUR_TYPES = new Map([
  [1, 0],
  [3, 2],
  [4, 6],
]); // by channels
const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

/** @typedef {{width: number, height: number, channels: 1 | 3 | 4, data: Uint8Array | Uint8ClampedArray}} Raster */

/**
 * @param {Raster} raster
 * @returns {Promise<Uint8Array>} a PNG file of its values, in sRGB
 */
export async function encode({ width, height, channels, data }) {
  const row = width * channels;
  const lines = new Uint8Array((row + 1) * height); // each begins with its filter, 0 for none
  for (let y = 0; y < height; y++) lines.set(data.subarray(y * row, (y + 1) * row), y * (row + 1) + 1);
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, /** @type {number} */ (COLOUR_TYPES.get(channels)), 0, 0, 0], 8);
  const packed = await through(lines, new CompressionStream("deflate"));
  return joined([
    Uint8Array.from(SIGNATURE),
    chunk("IHDR", header),
    chunk("sRGB", Uint8Array.of(0)),
    chunk("IDAT", packed),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

/**
 * @param {Uint8Array} file a PNG file of 8 bits a channel, not interlaced
 * @returns {Promise<Raster>}
 */
export async function decode(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const channels = [...COLOUR_TYPES].find(([, type]) => type === file[25])?.[0];
  if (SIGNATURE.some((byte, n) => file[n] !== byte) || file[24] !== 8 || file[28] || !channels) {
    throw new Error("this PNG file is not of 8 bits a channel in grey, RGB or RGBA");
  }
  const parts = [];
  for (let at = 8; at < file.length; at += 12 + view.getUint32(at)) {
    const name = String.fromCharCode(...file.subarray(at + 4, at + 8));
    if (name === "IDAT") parts.push(file.subarray(at + 8, at + 8 + view.getUint32(at)));
  }
  const lines = await through(joined(parts), new DecompressionStream("deflate"));
  const data = unfiltered(lines, height, width * channels, channels);
  return { width, height, channels: /** @type {1 | 3 | 4} */ (channels), data };
}

/**
 * Undo the filters of lines (PNG specification, section 9).
 * @param {Uint8Array} lines
 * @param {number} height
 * @param {number} row bytes in a line
 * @param {number} channels
 */
function unfiltered(lines, height, row, channels) {
  const data = new Uint8ClampedArray(row * height);
  for (let y = 0; y < height; y++) {
    const filter = lines[y * (row + 1)];
    for (let x = 0; x < row; x++) {
      const i = y * row + x;
      const left = x >= channels ? data[i - channels] : 0;
      const up = y ? data[i - row] : 0;
      const corner = x >= channels && y ? data[i - row - channels] : 0;
      const guess = [0, left, up, (left + up) >> 1, filter === 4 ? paeth(left, up, corner) : 0][filter];
      data[i] = (lines[y * (row + 1) + 1 + x] + guess) & 255;
    }
  }
  return data;
}

/**
 * @param {number} left
 * @param {number} up
 * @param {number} corner
 */
function paeth(left, up, corner) {
  const [a, b, c] = [left, up, corner].map((value) => Math.abs(left + up - corner - value));
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

/**
 * @param {Uint8Array} bytes
 * @param {CompressionStream | DecompressionStream} stream
 */
async function through(bytes, stream) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}

/**
 * @param {string} name
 * @param {Uint8Array} data
 */
function chunk(name, data) {
  const made = new Uint8Array(data.length + 12);
  const view = new DataView(made.buffer);
  view.setUint32(0, data.length);
  made.set(new TextEncoder().encode(name), 4);
  made.set(data, 8);
  view.setUint32(data.length + 8, crc(made.subarray(4, data.length + 8)));
  return made;
}

/** @param {Uint8Array} bytes */
function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC[(value ^ byte) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}

/** @param {Uint8Array[]} parts */
function joined(parts) {
  const made = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    made.set(part, at);
    at += part.length;
  }
  return made;
}

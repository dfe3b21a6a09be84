/** Writes PNG files beside the page's own thread, so that the pen never waits for one. */

import { encode } from "./png.js";

addEventListener("message", async ({ data: { id, raster } }) => {
  const file = await encode(raster);
  postMessage({ id, file }, { transfer: [file.buffer] });
});

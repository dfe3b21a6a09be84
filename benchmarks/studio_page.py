"""What an artist waits for: from the pen's lifting to the first preview and to the whole image, on the page.

    python benchmarks/studio_page.py [--strokes 20] [--fill]

Starts `sdedit studio`, opens its page in Chromium (that of SDEDIT_CHROMIUM, or /usr/bin/chromium), draws strokes with
the mouse, each after the image before it is done, and prints the median milliseconds from `pointerup` to the frame that
shows the first preview, to the one that shows the image, and what the network took of that (the `seconds` that the
server tells). A stroke is painted as it grows, so that the network is at work for it when the pen is lifted; with
--fill areas are filled instead, and it is at rest. Needs the package playwright.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys

from playwright.sync_api import sync_playwright

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--strokes", type=int, default=20)
parser.add_argument("--fill", action="store_true", help="fill areas instead")
options = parser.parse_args()
CHROMIUM = os.environ.get("SDEDIT_CHROMIUM", "/usr/bin/chromium")
WATCH = """async () => {
  const { studio: { live } } = await import("/main.js");
  globalThis.times = [];
  let now = null;
  const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  addEventListener("pointerup", () => { now = { lifted: performance.now(), change: live.change } }, true);
  live.addEventListener("preview", async () => {
    const mine = now;
    if (!mine || mine.preview || live.shown < mine.change) return;
    mine.preview = true;
    await frame();
    mine.preview = performance.now() - mine.lifted;
  });
  live.addEventListener("painted", async ({ detail }) => {
    const mine = now;
    if (!mine || live.shown < mine.change) return;
    await frame();
    globalThis.times.push([mine.preview, performance.now() - mine.lifted, 1000 * detail.seconds]);
  });
}"""


def measured(url: str) -> list[list[float]]:
    """Milliseconds of each stroke: to the preview, to the image, and in the network."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(url)
        page.locator("#result-pane[data-state=done]").wait_for(timeout=120_000)
        page.evaluate(WATCH)
        if options.fill:
            page.keyboard.press("g")
        box = page.locator("#canvas").bounding_box()
        assert box is not None
        for n in range(options.strokes):
            x, y = box["x"] + 40 + 17 * n % 360, box["y"] + 60 + 41 * n % 320
            page.mouse.move(x, y)
            page.mouse.down()
            if not options.fill:
                page.mouse.move(x + 40, y + 20, steps=4)
            page.mouse.up()
            while page.evaluate("globalThis.times.length") <= n:
                page.wait_for_timeout(100)
            page.wait_for_timeout(300)
        times = page.evaluate("globalThis.times")
        browser.close()
        return times


words = [sys.executable, "-m", "sdedit", "studio", "--port", "0", "--no-open", "--json"]
process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
try:
    assert process.stdout is not None
    rows = measured(json.loads(process.stdout.readline())["url"])
finally:
    process.send_signal(signal.SIGINT)
    process.wait(30)
previews, images, network = zip(*rows, strict=True)
print(f"pen lifted to first preview: {statistics.median(filter(None, previews)):.0f} ms")
print(
    f"pen lifted to image: {statistics.median(images):.0f} ms, of which the network {statistics.median(network):.0f} ms"
)

"""What the studio's server adds to the network: first preview and whole image, beside the evaluations alone.

    python benchmarks/studio.py [ROUNDS] [GUIDE]

Starts `sdedit studio` and asks it ROUNDS times (20) for a stream of the same guide (examples/guides/coast.png at 512 x
384, as a page sends it), by turns with the same image painted by the library in this process, and prints the median
milliseconds of each: from before the request is sent to the first preview, and to the image's file, both decoded.
"""

import base64
import http.client
import io
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image

import sdedit
from sdedit.cli.threads import wait_without_spinning

wait_without_spinning(os.environ)  # as the command does, before torch is there
from sdedit.diffusion.device import tune_allocator  # noqa: E402

rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
guide = Path(sys.argv[2] if len(sys.argv) > 2 else "examples/guides/coast.png")
tune_allocator()
model = sdedit.load_model(device="auto")
strokes = Image.open(guide).convert("RGB")


def alone() -> tuple[float, float]:
    """Seconds of the first evaluation and of the whole image in this process."""
    times: list[float] = []
    started = time.perf_counter()
    sdedit.paint(model, strokes, 0.5, seed=7, on_step=lambda step: times.append(time.perf_counter() - started))
    return times[0], time.perf_counter() - started


def asked(port: int, body: bytes) -> tuple[float, float]:
    """Seconds from a request to the first preview and to the image."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    started = time.perf_counter()
    connection.request("POST", "/api/paint?t0=0.5&seed=7", body, {"Accept": "application/x-ndjson"})
    answer = connection.getresponse()
    preview = 0.0
    while line := answer.readline():
        event = json.loads(line)
        if event["event"] in ("preview", "painted"):
            Image.open(io.BytesIO(base64.b64decode(event["image"]))).load()
            preview = preview or time.perf_counter() - started
        if event["event"] == "painted":
            connection.close()
            return preview, time.perf_counter() - started
    raise SystemExit("the stream broke off")


words = [sys.executable, "-m", "sdedit", "studio", "--port", "0", "--no-open", "--json"]
with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
    try:
        assert server.stdout is not None
        port = urlsplit(json.loads(server.stdout.readline())["url"]).port or 0
        for _ in range(2):  # warm; the first waits for the model
            asked(port, guide.read_bytes())
            alone()
        pairs = [(alone(), asked(port, guide.read_bytes())) for _ in range(rounds)]
    finally:
        server.terminate()
for index, name in enumerate(("first preview", "whole image")):
    one, two = (statistics.median(pair[side][index] for pair in pairs) * 1000 for side in (0, 1))
    print(f"{name}: evaluations alone {one:.0f} ms, by the studio {two:.0f} ms, {two - one:+.0f} ms")

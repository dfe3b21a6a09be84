"""Seconds of a painting with and without a busy process beside it, threads that wait asleep or turning in a loop.

    python benchmarks/busy_machine.py [--rounds 5] [--busy 1]

Runs `sdedit paint` with its defaults as a process of its own, by turns as the command settles how the threads of OpenMP
wait, and as they wait without it; first alone and then beside BUSY processes that only count. Prints the median and the
least seconds of each. Let nothing else run meanwhile.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GUIDE = Path(__file__).parents[1] / "examples" / "guides" / "mountain-lake.png"
# A choice of the user's, which the command leaves alone; of no meaning to the OpenMP of gcc, with which torch comes.
UNSETTLED = {"KMP_BLOCKTIME": "200"}


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that count, until the block ends."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def seconds(folder: Path, settled: bool) -> float:
    words = ["paint", str(GUIDE), "--seed", "1", "--quiet", "--overwrite", "-o", str(folder / "painted.png")]
    environment = {**os.environ, **({} if settled else UNSETTLED)}
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "sdedit", *words], check=True, env=environment)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--busy", type=int, default=1)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        seconds(Path(name), settled=True)  # compiles what is kept
        for count in (0, options.busy):
            rounds = []
            for _ in range(options.rounds):
                with busy(count):
                    rounds.append([seconds(Path(name), settled) for settled in (False, True)])
            before, after = zip(*rounds, strict=True)
            print(f"beside {count} busy processes: ", end="")
            for words, times in (("in a loop", before), ("asleep", after)):
                print(f"{words} {statistics.median(times):.2f} s (least {min(times):.2f})", end="  ")
            print()


if __name__ == "__main__":
    main()

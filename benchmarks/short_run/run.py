"""A plan of training stages on a machine that is at hand for minutes.

    mkdir WORK && for pack in PACKS/pack-*.tar; do tar -xf $pack -C WORK; done && cd WORK &&
    PYTHONPATH=code:site python3 code/benchmarks/short_run/run.py PLAN --minutes 9.3 --out OUT

Each stage is an `sdedit train` of its own, so that a crash ends a stage and not the run. OUT always holds, in files of
at most 15 MiB: the parts of the newest model (`parts.py` joins them), run.log, table.csv with KID of each finished
stage, log.csv with the errors at fixed noise levels, and preview.jpg. When all stages are done the parts are those of
the model with the lowest KID. WORK/runs keeps everything else, for a second run of another plan on the same machine.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import parts
import safetensors
from PIL import Image

from sdedit.io.tables import from_table, read_toml

HERE = Path(__file__).resolve().parent
START_UP = 25.0  # seconds of a stage that are no training: imports, photographs, graphs
MEASURING = 25.0  # seconds to paint the validation strokes and compare them
ENDING = 15.0  # seconds kept free at the very end
PATIENCE = 20.0  # seconds a stage may take to write its state when it is asked to stop


@dataclass(frozen=True)
class Stage:
    """One `[[stages]]` table of a plan.

    Attributes:
        name: of the stage; later ones may name it as a model, and `NAME-early` as what `keep` kept.
        recipe: of `sdedit train`, a path in the project.
        data: folders below data to learn from, or SET=FOLDER where the recipe names the sets.
        share: of the minutes for training that stages without `minutes` of their own have.
        minutes: of training, instead of a share.
        start, strong, weak: models, by stage.
        painted: whether the start model paints the strokes first, for the stage to learn from them.
        keep: share of the stage's time up to which a copy of the newest model is kept; 0 keeps none.
        limit: validation strokes to measure the model on; 0 is all.
    """

    name: str
    recipe: str
    data: tuple[str, ...]
    share: float = 0.0
    minutes: float = 0.0
    start: str = ""
    strong: str = ""
    weak: str = ""
    painted: bool = False
    keep: float = 0.0
    limit: int = 0


class Run:
    """The folders of a run, its clock and its log."""

    def __init__(self, out: Path, work: Path, seconds: float, device: str) -> None:
        self.out, self.work, self.device = out, work, device
        self.deadline = time.monotonic() + seconds
        self.stop = 0  # number of the signal that asked for an end
        out.mkdir(parents=True, exist_ok=True)
        (work / "runs").mkdir(exist_ok=True)
        self.log_file = (out / "run.log").open("a", buffering=1)

    @property
    def left(self) -> float:
        """Seconds until all must be written."""
        return self.deadline - ENDING - time.monotonic()

    def log(self, line: str) -> None:
        print(line, flush=True)
        self.log_file.write(f"{time.strftime('%H:%M:%S')} {line}\n")

    def model(self, name: str) -> Path:
        """The model of a stage, of what it kept early, or of the pack."""
        places = (self.work / "runs" / name / "model.safetensors", self.work / "models" / f"{name}.safetensors")
        return next((place for place in places if place.exists()), places[0])

    def sdedit(self, *words: Any, seconds: float) -> bool:
        """Run a command of sdedit, for at most so long; whether it went well."""
        line = [sys.executable, "-m", "sdedit", *map(str, words)]
        try:
            done = subprocess.run(line, stdout=self.log_file, stderr=self.log_file, timeout=max(1.0, seconds))
        except subprocess.TimeoutExpired:
            self.log(f"sdedit {words[0]} took longer than {seconds:.0f} s and was ended")
            return False
        return done.returncode == 0

    def publish(self, model: Path) -> None:
        """Put a model's parts into OUT."""
        written = parts.split(model, self.out)
        self.log(f"{model.parent.name}: {len(written)} parts of {model.stat().st_size / (1 << 20):.1f} MiB")


def train(run: Run, stage: Stage, seconds: float) -> bool:
    """Train one stage for so long, publishing its model each time it is written; whether there is a model."""
    folder = run.work / "runs" / stage.name
    words: list[Any] = ["train", run.work / "code" / stage.recipe, "-o", folder]
    for named in stage.data:
        name, _, folder_name = named.rpartition("=")
        words += ["--data", f"{name}={run.work / 'data' / folder_name}" if name else run.work / "data" / folder_name]
    words += ["--validation", run.work / "data" / "validation", "--device", run.device]
    words += ["--minutes", f"{seconds / 60:.3f}"]
    for option in ("start", "strong", "weak"):
        if name := getattr(stage, option):
            words += [f"--{option}", run.model(name)]
    if stage.painted:
        painted = run.work / "runs" / f"{stage.name}-painted"
        paint = ("paint", run.work / "data" / "strokes", "-o", painted, "--model", run.model(stage.start))
        if not run.sdedit(*paint, "--seed", 0, "--device", run.device, seconds=run.left / 3):
            return False
        words += ["--painted", painted]

    model = folder / "model.safetensors"
    kept = run.work / "models" / f"{stage.name}-early.safetensors"
    kept.parent.mkdir(exist_ok=True)
    for attempt in range(2):
        again = ["--resume"] if (folder / "state.pt").exists() else []
        process = subprocess.Popen(
            [sys.executable, "-m", "sdedit", *map(str, words), *again], stdout=run.log_file, stderr=run.log_file
        )
        published, asked = 0.0, False
        while process.poll() is None:
            time.sleep(0.5)
            if model.exists() and model.stat().st_mtime != published:
                published = model.stat().st_mtime
                run.publish(model)
                if stage.keep and (not kept.exists() or trained_seconds(model) <= stage.keep * seconds):
                    shutil.copyfile(model, kept)
            if (run.stop or run.left <= PATIENCE) and not asked:
                asked = True
                process.send_signal(signal.SIGTERM)
            if run.left <= 0:
                process.kill()
        if process.returncode == 0 or asked:
            break
        run.log(
            f"{stage.name}: ended with {process.returncode}" + ("; once more from its state" if not attempt else "")
        )
    if model.exists() and model.stat().st_mtime != published:
        run.publish(model)
    if stage.keep and model.exists() and not kept.exists():
        shutil.copyfile(model, kept)
    return model.exists()


def trained_seconds(model: Path) -> float:
    """How long a model has been trained, by its own file."""
    with safetensors.safe_open(model, "pt") as file:
        card = json.loads(file.metadata()["card"])
    return float(card["training"]["seconds"])


def measure(run: Run, stage: Stage) -> float | None:
    """KID of a stage's model on the validation strokes, as a line of table.csv; None if it could not be had."""
    folder, data = run.work / "runs" / stage.name, run.work / "data"
    collect(run, folder, stage.name)
    table = folder / "evaluation.csv"
    evaluate = ("evaluate", data / "val-strokes", data / "validation", "--features", "efficientnet-lite0", "--t0", 0.5)
    where = ("--model", run.model(stage.name), "--device", run.device, "--seed", 0, "-o", table, "--overwrite")
    limit = ("--limit", stage.limit) if stage.limit else ()
    if run.left < 5 or not run.sdedit(*evaluate, *where, *limit, seconds=run.left):
        return None
    with table.open(newline="") as stream:
        row = {"stage": stage.name, **list(csv.DictReader(stream))[-1]}
    _append(run.out / "table.csv", [row])
    run.log(f"{stage.name}: KID {row['kid']} +- {row['kid_error']}, L2 {row['l2']}")
    return float(row["kid"])


def collect(run: Run, folder: Path, name: str) -> None:
    """A stage's errors and its last preview, into OUT."""
    if (folder / "log.csv").exists():
        with (folder / "log.csv").open(newline="") as stream:
            _append(run.out / "log.csv", [{"stage": name, **row} for row in csv.DictReader(stream)])
    previews = sorted(folder.glob("preview-*.png"))
    if previews:
        Image.open(previews[-1]).convert("RGB").save(run.out / "preview.jpg", quality=88)


def _append(file: Path, rows: list[dict[str, str]]) -> None:
    new = not file.exists()
    with file.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]) if rows else [], extrasaction="ignore")
        if new:
            writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", help="a plan beside this file, such as base for base.toml")
    parser.add_argument("--minutes", type=float, required=True, help="from now until everything is written")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path(), help="folder the packs were unpacked in [.]")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()

    stages = [from_table(Stage, table) for table in read_toml(HERE / f"{options.plan}.toml")["stages"]]
    run = Run(options.out, options.work.resolve(), 60 * options.minutes, options.device)

    def note(number: int, frame: object) -> None:
        run.stop = number

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, note)
    os.environ.setdefault("PYTHONUNBUFFERED", "1")

    fixed = sum(60 * stage.minutes for stage in stages)
    training = max(0.0, run.left - len(stages) * (START_UP + MEASURING) - fixed)
    shares = sum(stage.share for stage in stages)
    run.log(
        f"{options.plan}: {len(stages)} stages, {(fixed + training) / 60:.1f} minutes of training on {options.device}"
    )
    best: tuple[float, str] | None = None
    for stage in stages:
        if run.stop or run.left < START_UP:
            run.log(f"{stage.name}: left out, there is no time for it")
            continue
        seconds = 60 * stage.minutes or training * stage.share / shares
        seconds = min(seconds, run.left - START_UP - MEASURING)
        run.log(f"{stage.name}: {seconds / 60:.2f} minutes")
        if not train(run, stage, max(seconds, 1.0)):
            run.log(f"{stage.name}: gave no model")
            continue
        found = measure(run, stage)
        if found is not None and (best is None or found < best[0]):
            best = found, stage.name
    if best is not None:
        run.log(f"the best is {best[1]}, KID {best[0]:.4f}")
        run.publish(run.model(best[1]))
    sys.exit(128 + run.stop if run.stop else 0)


if __name__ == "__main__":
    main()

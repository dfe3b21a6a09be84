"""Loading a training checkpoint of a gigabyte takes the memory of its network, not that of the file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DModel

from tests.helpers.published_files import INDEX_256, OPTIONS_256, in_score_sde_names, sigma_table, training_checkpoint

LOAD = """
import json, sys, threading, time
from sdedit import load_model

def used(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))

load_model(sys.argv[2], precision="fp32")  # so that only the file's own cost is counted
before, highest, done = used("RssAnon"), 0, False

def watch():
    global highest
    while not done:
        highest = max(highest, used("RssAnon"))
        time.sleep(0.001)

watcher = threading.Thread(target=watch)
watcher.start()
model = load_model(sys.argv[1], precision="fp32")
done = True
watcher.join()
weights = sum(tensor.numel() * 4 for tensor in model.network.state_dict().values())
print(json.dumps({"ratio": (highest - before) / weights, "weights": weights}))
"""


def state_256() -> dict[str, torch.Tensor]:
    """The tensors of the 256 px layout, of zeros: what they hold makes no difference to the memory they take."""
    with torch.device("meta"):
        unet = UNet2DModel(**OPTIONS_256)
    return {
        name: torch.zeros(tensor.shape) for name, tensor in in_score_sde_names(unet.state_dict(), INDEX_256).items()
    }


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's account of memory")
@pytest.mark.parametrize("zipped", [True, False])
def test_memory(tmp_path: Path, tiny_checkpoint: Path, zipped: bool) -> None:
    path = tmp_path / "checkpoint.pth"
    state = state_256()
    content = training_checkpoint(state, state, sigma_table(380, 2000), moments=True)
    # torch writes a tensor once however often it occurs; as many bytes as four copies need.
    content["ema"]["shadow_params"] = [tensor.clone() for tensor in content["ema"]["shadow_params"]]
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    del content, state
    assert path.stat().st_size > 1_040_000_000
    try:
        result = subprocess.run(
            [sys.executable, "-c", LOAD, str(path), str(tiny_checkpoint)], capture_output=True, check=False, text=True
        )
    finally:
        path.unlink()
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["weights"] == 4 * 65_574_549
    assert found["ratio"] < 1.3, found

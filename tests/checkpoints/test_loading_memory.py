"""Loading a training checkpoint of a gigabyte takes the memory of its network, not that of the file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from published_files import sigma_table, training_checkpoint

from sdedit.checkpoints.layout import parts
from sdedit.network import NCSNpp, NetworkConfig

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
    """Tensors of the 256 px layout, of zeros: what they hold takes no memory here and as much as any when read."""
    config = NetworkConfig(
        128, (128, 128, 256, 256, 256, 256, 256), (2,) * 7, (4,), input_pyramid="skip", output_pyramid="skip"
    )
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in NCSNpp(config).state_dict().items()}
    leaves = {
        "norm0": "GroupNorm_0",
        "conv0": "Conv_0",
        "project": "Dense_0",
        "norm1": "GroupNorm_1",
        "conv1": "Conv_1",
        "shortcut": "Conv_2",
        "norm": "GroupNorm_0",
    }
    state = {}
    for number, part in enumerate(parts(config)):
        prefix = f"all_modules.{number}"
        for name, shape in shapes.items():
            layer = name.removeprefix(f"{part.name}.")
            if layer == name:
                continue
            if part.kind == "fourier":
                state[f"{prefix}.W"] = torch.ones(shape)
            elif layer.startswith("qkv") or layer.startswith("out"):
                numbers = (0, 1, 2) if layer.startswith("qkv") else (3,)
                width = shape[0] // len(numbers)
                for nin in numbers:
                    matrix = layer.endswith("weight")
                    key = f"{prefix}.NIN_{nin}.{'W' if matrix else 'b'}"
                    state[key] = torch.zeros((width, width) if matrix else width)
            else:
                first, _, leaf = layer.rpartition(".")
                inner = {"mix": "Conv_0."}.get(part.kind, f"{leaves[first]}." if first else "")
                state[f"{prefix}.{inner}{leaf}"] = torch.zeros(shape)
    return state


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

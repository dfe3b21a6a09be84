"""diffusers' unconditional training loop in a process of its own, as its script runs it on one device.

    python -m sdedit.jobs.bench_plain_loop FOLDER SIDE BATCH DEVICE STEPS

writes a line of JSON with the operations of a gradient for each image and the memory it takes, then answers each line
it reads with the seconds of a batch, the mean of STEPS.

examples/unconditional_image_generation/train_unconditional.py: UNet2DModel, autocast to bfloat16, AdamW, gradients
clipped to norm 1, and the loss read after every batch; channels_last besides. Its images are on the device already.
"""

from __future__ import annotations

import json
import sys
import time

import torch
from diffusers import UNet2DModel
from diffusers.utils import logging
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from sdedit.diffusion.device import has_fast_bf16, peak_memory


def main(folder: str, side: int, batch: int, device_name: str, steps: int) -> None:
    """Train on request."""
    logging.set_verbosity_error()
    device = torch.device(device_name)
    description = UNet2DModel.load_config(folder, subfolder="unet")
    network = UNet2DModel.from_config(description).to(device, memory_format=torch.channels_last).train()
    clean = torch.randn(batch, network.config["in_channels"], side, side, device=device)
    clean = clean.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6, eps=1e-8)

    def train() -> float:
        noise = torch.randn_like(clean)
        sigma = torch.rand(batch, device=device) + 0.01
        noised = clean + sigma[:, None, None, None] * noise
        with torch.autocast(device.type, torch.bfloat16, enabled=has_fast_bf16(device)):
            answer = network(noised, sigma).sample
        loss = F.mse_loss(answer.float(), noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        return loss.detach().item()

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(clean[:1], torch.ones(1, device=device))
    train()
    print(json.dumps({"work": 3 * counter.get_total_flops(), "memory": peak_memory(device)}), flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        for _ in range(steps):
            train()
        print((time.perf_counter() - started) / steps, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))

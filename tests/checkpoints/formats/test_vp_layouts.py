"""Every family of variance-preserving files in its published layout: the parameter count, and the same denoiser."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DModel
from torch import Tensor

from sdedit import ScoreModel, load_model
from sdedit.checkpoints.formats.assumptions import Assumptions
from sdedit.checkpoints.formats.guided import infer_config
from sdedit.diffusion.ncsnpp import NCSNpp
from sdedit.diffusion.preconditioning import VPPreconditioning
from sdedit.diffusion.vp_schedule import VPSchedule
from tests.helpers.published_files import (
    random_unet,
    sigma_table,
    training_checkpoint,
    with_old_attention_names,
    write_edm,
)
from tests.helpers.references import Tensors
from tests.helpers.references_vp import DDPM, DDPMpp, DDPMppEDM, Guided, Shapes
from tests.helpers.vp_files import SCHEDULER, google_options, in_pytorch_diffusion_names

TOLERANCE = 3e-5  # of the output's largest value
FULL_SIZE = "SDEDIT_FULL_SIZE" in os.environ  # networks of above 100 million parameters take up to 10 GB and minutes
LEVELS = (0, 9, 100, 500, 999)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A place for large files, emptied when the test ends."""
    yield tmp_path
    for file in sorted(tmp_path.rglob("*"), reverse=True):
        if file.is_file():
            file.unlink()


def parameters(model: ScoreModel) -> int:
    return sum(tensor.numel() for tensor in model.network.state_dict().values())


def difference(model: ScoreModel, network: Callable[[Tensor, Tensor], Tensor], side: int) -> float:
    """Largest difference of D(x; sigma) from x - sigma F(c_in (2x - 1); label) at five levels, in largest F's.

    `network` takes the state as the originals do, and the number of the level.
    """
    assert isinstance(model.preconditioning, VPPreconditioning)
    schedule = model.preconditioning.schedule
    generator = torch.Generator().manual_seed(1)
    worst = 0.0
    for number in LEVELS:
        number = number * schedule.timesteps // 1000
        label = torch.tensor([float(number)])
        if schedule.betas == "continuous":
            sigma = torch.tensor([schedule.sigma(number / 999 or 1e-3)])
            label = schedule.index(sigma.double()).float()
        else:
            sigma = torch.tensor([schedule.sigma((number + 1) / schedule.timesteps)])
        x = torch.rand(1, 3, side, side, generator=generator)
        x = x + sigma * torch.randn(x.shape, generator=generator)
        c_in = 1 / (1 + (2 * sigma.double()) ** 2).sqrt()
        expected = network((c_in * (2 * x - 1).double()).float(), model.preconditioning.label_scale * label)[:, :3]
        ours = (x.double() - model.denoise(x, sigma).double()) / sigma.double()
        rounding = 2e-7 * (1 + x.abs().max() / sigma)  # of the sum that D is
        worst = max(worst, ((ours - expected).abs().max() - rounding).item() / expected.abs().max().item())
    return worst


def adm_options(unit: int, blocks: int, attention: tuple[int, ...]) -> dict[str, Any]:
    channels = tuple(unit * multiplier for multiplier in (1, 1, 2, 2, 4, 4))
    kinds = [level in attention for level in range(6)]
    return {
        "sample_size": 256,
        "out_channels": 6,
        "block_out_channels": channels,
        "layers_per_block": blocks,
        "down_block_types": tuple("AttnDownBlock2D" if kind else "ResnetDownsampleBlock2D" for kind in kinds),
        "up_block_types": tuple("AttnUpBlock2D" if kind else "ResnetUpsampleBlock2D" for kind in reversed(kinds)),
        "downsample_type": "resnet",
        "upsample_type": "resnet",
        "resnet_time_scale_shift": "scale_shift",
        "attention_head_dim": 64,
        "attn_norm_num_groups": 32,
    }


def training_script_options(channels: tuple[int, ...], down: str, size: int) -> dict[str, Any]:
    """What train_unconditional.py leaves to the defaults; `down` has an A for each level with attention."""
    return {
        "sample_size": size,
        "block_out_channels": channels,
        "layers_per_block": 2,
        "down_block_types": tuple("AttnDownBlock2D" if kind == "A" else "DownBlock2D" for kind in down),
        "up_block_types": tuple("AttnUpBlock2D" if kind == "A" else "UpBlock2D" for kind in reversed(down)),
    }


BIG = (128, 128, 256, 256, 512, 512)
SMALL = (32, 32, 64, 64, 96, 96)
WIDTHS = BIG if FULL_SIZE else SMALL
DIFFUSERS = {
    "ddpm 256": (google_options(WIDTHS, 4, 256), 113_673_219 if FULL_SIZE else 0),
    "ddpm cifar10": (google_options((128, 256, 256, 256), 1, 32), 35_746_307),
    "training script": (training_script_options(WIDTHS, "....A.", 128), 113_673_219 if FULL_SIZE else 0),
    "butterflies 32": (training_script_options((64, 128, 128, 256), "..AA", 32), 18_536_323),
    "adm small": (adm_options(128 if FULL_SIZE else 64, 1, (4,)), 93_563_910 - 3 * (9 * 128 + 1) if FULL_SIZE else 0),
}


@torch.inference_mode()
@pytest.mark.parametrize("name", DIFFUSERS)
def test_diffusers(folder: Path, name: str) -> None:
    options, count = DIFFUSERS[name]
    unet = random_unet(options)
    unet.save_pretrained(folder)
    (folder / "scheduler_config.json").write_text(json.dumps(SCHEDULER))
    model = load_model(folder, precision="fp32")
    assert count in (0, parameters(model))
    assert model.native_size == options["sample_size"]
    assert model.schedule == VPSchedule()
    assert model.notes == ("the file does not say whether its weights are a moving average",)
    assert difference(model, lambda x, label: unet(x, label).sample, 32) < TOLERANCE


@torch.inference_mode()
def test_small_stems_show_the_epsilon_of_normalisations(folder: Path) -> None:
    """Random weights hide it: with unit variances 1e-5 in the place of 1e-6 changes the output by 7e-6."""
    unet = random_unet(google_options((32, 64), 1, 32))
    unet.conv_in.weight *= 0.003
    unet.conv_in.bias *= 0.003
    unet.save_pretrained(folder)
    model = load_model(folder, precision="fp32")
    assert difference(model, lambda x, label: unet(x, label).sample, 32) < TOLERANCE
    options = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**options, "norm_eps": 1e-5}))
    wrong = load_model(folder, precision="fp32")
    assert difference(wrong, lambda x, label: unet(x, label).sample, 32) > 100 * TOLERANCE


@torch.inference_mode()
@pytest.mark.parametrize(
    ("channels", "attention", "size", "count"),
    [
        ((128, 256, 256, 256, 512), 2, 64, 78_700_803),  # CelebA of ermongroup/ddim
        (WIDTHS, 4, 256, 113_673_219 if FULL_SIZE else 0),  # the official SDEdit's
    ],
)
def test_pytorch_diffusion(folder: Path, channels: tuple[int, ...], attention: int, size: int, count: int) -> None:
    unet = random_unet(google_options(channels, attention, size))
    state = in_pytorch_diffusion_names(unet.state_dict(), len(channels))
    torch.save(state, folder / "celeba_hq.ckpt")
    model = load_model(folder / "celeba_hq.ckpt", precision="fp32")
    assert count in (0, parameters(model))
    assert (model.native_size, model.schedule) == (size, VPSchedule())
    assert any("noise schedule" in note for note in model.notes)
    assert any("moving average" in note for note in model.notes)
    assert difference(model, lambda x, label: unet(x, label).sample, 32) < TOLERANCE


@torch.inference_mode()
def test_training_lists_of_ddim(tmp_path: Path) -> None:
    unet = random_unet(google_options((32, 64), 1, 32))
    state = in_pytorch_diffusion_names(unet.state_dict(), 2)
    raw = {f"module.{name}": torch.nn.Parameter(0.5 * tensor) for name, tensor in state.items()}
    optimizer = {"state": {}, "param_groups": [{"lr": 2e-4, "params": []}]}
    torch.save([raw, optimizer, 3, 12000, state], tmp_path / "ckpt.pth")
    model = load_model(tmp_path / "ckpt.pth", precision="fp32")
    assert model.card["weights"] == "EMA"
    assert difference(model, lambda x, label: unet(x, label).sample, 32) < TOLERANCE
    trained = load_model(tmp_path / "ckpt.pth", precision="fp32", raw_weights=True)
    assert torch.equal(trained.network.stem.weight, 0.5 * model.network.stem.weight)
    torch.save([raw, optimizer, 3, 12000], tmp_path / "short.pth")
    short = load_model(tmp_path / "short.pth", precision="fp32")
    assert short.card["weights"] == "raw"
    assert any("no moving average" in note for note in short.notes)


@torch.inference_mode()
@pytest.mark.parametrize("old", [True, False])
def test_google_weights_without_their_config(folder: Path, old: bool) -> None:
    unet = random_unet(google_options((128, 256, 256, 256), 1, 32))
    state = unet.state_dict()
    torch.save(with_old_attention_names(state) if old else state, folder / "diffusion_pytorch_model.bin")
    model = load_model(folder / "diffusion_pytorch_model.bin", precision="fp32")
    assert any("no config.json" in note for note in model.notes)
    assert difference(model, lambda x, label: unet(x, label).sample, 32) < TOLERANCE


@torch.inference_mode()
@pytest.mark.parametrize(
    ("kind", "blocks", "count"),
    [(DDPM, 2, 35_218_947), (DDPMpp, 4, 61_804_419), *([(DDPMpp, 8, 106_632_579)] if FULL_SIZE else [])],
)
def test_score_sde(folder: Path, kind: type[DDPM] | type[DDPMpp], blocks: int, count: int) -> None:
    state = Tensors(seed=blocks)
    reference = kind(state, blocks, fourier=False)
    reference(torch.zeros(1, 3, 32, 32), torch.zeros(1))
    doubled = {name: 2 * tensor for name, tensor in state.items()}
    torch.save(training_checkpoint(doubled, dict(state), sigma_table(50.0, 1000)), folder / "checkpoint.pth")
    model = load_model(folder / "checkpoint.pth", precision="fp32")
    assert (parameters(model), model.native_size, model.schedule) == (count, 32, VPSchedule("continuous"))
    assert model.card["weights"] == "EMA"
    assert any("continuous time is assumed" in note for note in model.notes)
    assert difference(model, reference, 32) < TOLERANCE
    discrete = load_model(folder / "checkpoint.pth", precision="fp32", assumptions=Assumptions("linear"))
    assert discrete.schedule == VPSchedule()


@torch.inference_mode()
def test_edm_vp(folder: Path) -> None:
    state = Tensors(seed=3)
    reference = DDPMppEDM(state)
    reference(torch.zeros(1, 3, 32, 32), torch.zeros(1))
    write_edm(folder / "network.pkl", dict(state), "VPPrecond", beta_d=19.9, beta_min=0.1, M=1000, epsilon_t=1e-5)
    model = load_model(folder / "network.pkl", precision="fp32")
    assert (parameters(model), model.native_size) == (61_804_419, 32)
    assert model.schedule.sigma(0.5) == pytest.approx(VPSchedule("continuous").sigma(0.5))
    assert model.notes == ()
    assert difference(model, reference, 32) < TOLERANCE


ADM = (1, 1, 2, 2, 4, 4)
# The networks at full size, their parameters and tensors, and at how much of the width CI runs them.
GUIDED = {
    "256x256_diffusion_uncond": (Guided(256, ADM, 2, (3, 4, 5)), 552_814_086, 566, 8),
    "ffhq_10m": (Guided(128, ADM, 1, (4,)), 93_563_910, 362, 4),
    "512x512_finetune": (Guided(256, (0.5, *ADM), 2, (4, 5, 6)), 557_973_638, 644, 4),
    "portrait_generator": (Guided(128, (0.5, *ADM), 2, (4, 5, 6), heads=4, head_channels=0), 139_579_462, 644, 2),
    "lsun_uncond_100M": (
        Guided(128, ADM, 2, (4,), updown=False, scale_shift=False, head_channels=0), 113_676_678, 426, 4,
    ),
    "imagenet64_uncond": (
        Guided(128, (1, 2, 3, 4), 3, (2, 3), updown=False, heads=4, head_channels=0), 121_063_942, 450, 4,
    ),
    "cifar10_uncond": (
        Guided(128, (1, 2, 2, 2), 3, (1, 2), updown=False, heads=4, head_channels=0), 52_546_438, 446, 4,
    ),
}  # fmt: skip
SIZES = {
    "512x512_finetune": 512, "portrait_generator": 512, "imagenet64_uncond": 64, "cifar10_uncond": 32,
}  # fmt: skip


@pytest.mark.parametrize("name", GUIDED)
def test_guided_and_improved_layouts_at_full_size(name: str) -> None:
    reference, count, tensors, _ = GUIDED[name]
    shapes = Shapes(0)
    side = 2 ** len(reference.multipliers)
    reference(shapes, torch.empty(1, 3, side, side, device="meta"), torch.empty(1, device="meta"))
    assert len(shapes) == tensors
    assert sum(tensor.numel() for tensor in shapes.values()) == count
    config, notes = infer_config(Path("model.pt"), shapes)
    with torch.device("meta"):
        network = NCSNpp(config)
    cut = 3 * (9 * config.channels[0] + 1)  # the rows of the variance
    assert sum(parameter.numel() for parameter in network.parameters()) == count - cut
    assert (config.head_channels, config.heads) == (reference.head_channels, reference.heads)
    assert any("attention heads" in note for note in notes)


@torch.inference_mode()
@pytest.mark.parametrize("name", GUIDED)
def test_guided_and_improved(folder: Path, name: str) -> None:
    from dataclasses import replace

    reference, count, _, share = GUIDED[name]
    share = 1 if FULL_SIZE or name == "cifar10_uncond" else share
    reference = replace(reference, unit=reference.unit // share)
    known = Assumptions(heads=reference.heads) if not reference.head_channels else Assumptions(head_channels=64)
    state = Tensors(seed=1)
    side = 2 ** len(reference.multipliers)
    reference(state, torch.zeros(1, 3, side, side), torch.zeros(1))
    torch.save(dict(state), folder / "model.pt")
    assumptions = Assumptions() if share == 1 else known  # the rules go by the published widths
    model = load_model(folder / "model.pt", precision="fp32", assumptions=assumptions)
    if share == 1:
        assert parameters(model) == count - 3 * (9 * model.network.config.channels[0] + 1)
    cosine = len(reference.multipliers) == 4
    assert model.schedule == (VPSchedule("cosine", 4000, 2.5e-5, 0.005) if cosine else VPSchedule())
    assert model.preconditioning == VPPreconditioning(model.schedule, "eps", 0.25 if cosine else 1.0)
    assert model.native_size == SIZES.get(name, 256)
    assert len(model.notes) == 4 if share == 1 else 3
    assert difference(model, lambda x, label: reference(state, x, label), side) < TOLERANCE


@torch.inference_mode()
def test_prefixes_and_safetensors(tmp_path: Path) -> None:
    import safetensors.torch

    reference, state = Guided(32, (1, 1, 2, 2, 4, 4), 1, (4,)), Tensors(seed=2)
    reference(state, torch.zeros(1, 3, 32, 32), torch.zeros(1))
    torch.save({f"module.{name}": tensor.half() for name, tensor in state.items()}, tmp_path / "a.pt")
    safetensors.torch.save_file(dict(state), tmp_path / "a.safetensors")
    known = Assumptions(head_channels=64)
    files = tmp_path / "a.pt", tmp_path / "a.safetensors"
    first, second = (load_model(file, precision="fp32", assumptions=known) for file in files)
    assert first.network.config == second.network.config
    torch.testing.assert_close(first.network.stem.weight, second.network.stem.weight, rtol=1e-3, atol=1e-3)


def test_unet_of_diffusers_is_what_the_options_say() -> None:
    """The parameter counts of the published networks, on the meta device."""
    from sdedit.checkpoints.formats.diffusers.ddpm import config_from_options

    for options, count in (
        (google_options(BIG, 4, 256), 113_673_219),
        (training_script_options(BIG, "....A.", 128), 113_673_219),
        (adm_options(128, 1, (4,)), 93_563_910),
    ):
        with torch.device("meta"):
            theirs = UNet2DModel(**options)
            ours = NCSNpp(config_from_options(Path("config.json"), options))
        assert sum(tensor.numel() for tensor in theirs.parameters()) == count
        cut = 3 * (9 * 128 + 1) if options.get("out_channels") == 6 else 0
        assert sum(tensor.numel() for tensor in ours.parameters()) == count - cut

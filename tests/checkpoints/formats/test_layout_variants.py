"""The forms in which one layout comes: old and new names, prefixes, moving averages, folders, parts and precisions."""

from __future__ import annotations

import argparse
import json
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from diffusers import UNet2DModel

from sdedit import ScoreModel, SdeditError, load_model
from sdedit.diffusion.preconditioning import VEIndexPreconditioning, VEPreconditioning
from sdedit.jobs.model_checks import verify_model
from sdedit.jobs.models import convert_model
from tests.helpers.published_files import (
    INDEX_SMALL,
    OPTIONS_SMALL,
    in_score_sde_names,
    random_unet,
    sigma_table,
    training_checkpoint,
    with_old_attention_names,
)

State = dict[str, torch.Tensor]
SCHEDULER = {"_class_name": "ScoreSdeVeScheduler", "sigma_min": 0.01, "sigma_max": 380.0}


@pytest.fixture(scope="module")
def unet() -> UNet2DModel:
    return random_unet(OPTIONS_SMALL, seed=1)


@pytest.fixture(scope="module")
def state(unet: UNet2DModel) -> State:
    return in_score_sde_names(unet.state_dict(), INDEX_SMALL)


def other(state: State) -> State:
    """Different weights for the same network, with the same Fourier frequencies."""
    return {
        name: tensor if name.endswith(".W") and "NIN" not in name else -2 * tensor for name, tensor in state.items()
    }


@torch.inference_mode()
def agrees(model: ScoreModel, unet: UNet2DModel) -> bool:
    x, sigma = torch.rand(1, 3, 32, 64, generator=torch.Generator().manual_seed(0)), torch.tensor([0.7])
    expected = unet(x, sigma).sample * sigma
    return bool((((model.denoise(x, sigma) - x) / sigma - expected).abs().max() / expected.std()) < 1e-4)


def fp32(path: Path, **options: object) -> ScoreModel:
    return load_model(path, precision="fp32", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("prefix", ["module.", "", "_orig_mod.", "module._orig_mod."])
@pytest.mark.parametrize("zipped", [True, False])
def test_moving_average_or_raw_weights(
    tmp_path: Path, unet: UNet2DModel, state: State, prefix: str, zipped: bool
) -> None:
    path = tmp_path / "any.name"
    content = training_checkpoint(other(state), state, sigma_table(380, 2000), prefix)
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    model = fp32(path)
    assert agrees(model, unet)
    assert model.card["weights"] == "EMA"
    assert model.notes == ()
    raw = fp32(path, raw_weights=True)
    assert raw.card["weights"] == "raw"
    assert not agrees(raw, unet)
    for name, tensor in raw.network.state_dict().items():
        if "frequencies" not in name:
            assert torch.equal(tensor, -2 * model.network.state_dict()[name]), name


def test_without_a_moving_average_this_is_said(tmp_path: Path, unet: UNet2DModel, state: State) -> None:
    for number, content in enumerate([training_checkpoint(state, None, sigma_table(50, 1000)), state]):
        path = tmp_path / f"{number}.pth"
        torch.save(content, path)
        model = fp32(path, sigma_max=50.0)
        assert agrees(model, unet)
        assert any("no moving average" in note for note in model.notes)


@pytest.mark.parametrize(("highest", "count"), [(380.0, 2000), (1348.0, 2000), (50.0, 1000), (90.0, 1000)])
def test_noise_levels_from_the_table_in_the_file(tmp_path: Path, state: State, highest: float, count: int) -> None:
    path = tmp_path / "a.pth"
    torch.save(training_checkpoint(state, state, sigma_table(highest, count)), path)
    schedule = fp32(path).schedule
    assert (schedule.sigma_min, schedule.sigma_max) == (0.01, highest)


def test_without_the_table_sigma_max_must_be_given_or_known(tmp_path: Path, state: State) -> None:
    path = tmp_path / "a.pth"
    torch.save(training_checkpoint(state, state, None), path)
    with pytest.raises(SdeditError, match="--sigma-max"):
        fp32(path)
    assert fp32(path, sigma_max=222.0).schedule.sigma_max == 222.0
    with pytest.raises(SdeditError, match="sigma_max"):
        fp32(path, sigma_max=0.001)


def test_sigma_max_of_the_published_twins_is_assumed_aloud(tmp_path: Path, state: State) -> None:
    from sdedit.checkpoints.checkpoint import Checkpoint
    from sdedit.checkpoints.registry import complete
    from sdedit.diffusion.ncsnpp import NetworkConfig

    def found(count: int, embedding: str, size: int | None) -> Checkpoint:
        config = NetworkConfig(16, (16, 16), (1, 1), embedding=embedding)  # type: ignore[arg-type]
        return Checkpoint(Path("a.pth"), config, {"x": torch.empty(count, device="meta")}, native_size=size)

    deep = complete(found(107_587_075, "fourier", 32), None, None)
    assert deep.schedule is not None
    assert deep.schedule.sigma_max == 50
    assert any("sigma_max 50 is assumed" in note for note in deep.notes)
    # Cifar and celeba have as many parameters and differ in native size.
    celeba = complete(found(62_693_251, "positional", 64), None, None)
    assert celeba.preconditioning == VEIndexPreconditioning(0.01, 90.0, 1000)
    cifar = complete(found(62_693_251, "positional", 32), None, None)
    assert cifar.preconditioning == VEIndexPreconditioning(0.01, 50.0, 1000)
    several = complete(found(65_574_549, "fourier", 256), None, None)
    assert any("348 to 380" in note for note in several.notes)
    unsaid = complete(found(105_785_896, "fourier", None), None, None)
    assert unsaid.native_size == 1024
    assert len(unsaid.notes) == 2


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("safe", [False, True])
@pytest.mark.parametrize("nested", [False, True])
def test_folders_of_diffusers(tmp_path: Path, unet: UNet2DModel, old: bool, safe: bool, nested: bool) -> None:
    place = tmp_path / "unet" if nested else tmp_path
    unet.save_pretrained(place, safe_serialization=safe)
    if old:
        renamed = with_old_attention_names(unet.state_dict())
        assert renamed.keys() != unet.state_dict().keys()
        if safe:
            safetensors.torch.save_file(renamed, place / "diffusion_pytorch_model.safetensors")
        else:
            torch.save(renamed, place / "diffusion_pytorch_model.bin")
    scheduler = tmp_path / "scheduler" if nested else tmp_path
    scheduler.mkdir(exist_ok=True)
    (scheduler / "scheduler_config.json").write_text(json.dumps(SCHEDULER))
    model = fp32(tmp_path)
    assert agrees(model, unet)
    assert (model.native_size, model.schedule.sigma_max) == (32, 380.0)
    assert model.preconditioning == VEPreconditioning()


def test_weights_in_parts_and_weights_alone(tmp_path: Path, unet: UNet2DModel) -> None:
    unet.save_pretrained(tmp_path, max_shard_size="4MB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert agrees(fp32(tmp_path, sigma_max=380.0), unet)
    alone = tmp_path / "alone" / "weights"
    alone.parent.mkdir()
    safetensors.torch.save_file(unet.state_dict(), alone)
    model = fp32(alone, sigma_max=380.0)
    assert agrees(model, unet)
    assert any("config.json" in note for note in model.notes)


def test_half_precision_weights(tmp_path: Path, unet: UNet2DModel) -> None:
    halves = {name: tensor.half() for name, tensor in unet.state_dict().items()}
    unet.save_config(tmp_path)
    torch.save(halves, tmp_path / "diffusion_pytorch_model.bin")
    model = fp32(tmp_path, sigma_max=380.0)
    assert model.dtype == torch.float32
    assert torch.equal(model.network.state_dict()["stem.weight"], halves["conv_in.weight"].float())


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("center_input_sample", False),
        ("norm_eps", 1e-5),
        ("norm_num_groups", 32),
        ("attention_head_dim", 8),
        ("mid_block_scale_factor", 1),
        ("time_embedding_type", "positional"),
        ("_class_name", "UNet2DConditionModel"),
        ("sample_size", 10**7),
        ("sample_size", -4),
    ],
)
def test_folders_that_would_compute_something_else(
    tmp_path: Path, unet: UNet2DModel, option: str, value: object
) -> None:
    unet.save_pretrained(tmp_path)
    options = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(options | {option: value}))
    with pytest.raises(
        SdeditError, match="|".join([option, "heads", "Condition", "native size", "center_input_sample"])
    ):
        fp32(tmp_path, sigma_max=380.0)


def test_there_and_back_is_exact(tmp_path: Path, unet: UNet2DModel, state: State) -> None:
    torch.save(training_checkpoint(other(state), state, sigma_table(380, 2000)), tmp_path / "a.pth")
    first = fp32(tmp_path / "a.pth")
    convert_model(first, tmp_path / "b.safetensors")
    second = fp32(tmp_path / "b.safetensors")
    convert_model(second, tmp_path / "c")
    third = fp32(tmp_path / "c")
    convert_model(third, tmp_path / "d.safetensors")
    fourth = fp32(tmp_path / "d.safetensors")
    for model in (second, third, fourth):
        assert model.network.config == first.network.config
        assert model.schedule == first.schedule
        assert model.preconditioning == first.preconditioning
        assert model.native_size == first.native_size
        for name, tensor in first.network.state_dict().items():
            assert torch.equal(tensor, model.network.state_dict()[name]), name
    exported = UNet2DModel.from_pretrained(tmp_path / "c", subfolder="unet")
    for name, tensor in unet.state_dict().items():
        assert torch.equal(tensor, exported.state_dict()[name]), name
    assert agrees(first, exported)


def test_exported_folder_is_a_pipeline(tmp_path: Path, unet: UNet2DModel) -> None:
    from diffusers import DiffusionPipeline

    unet.save_pretrained(tmp_path / "a")
    convert_model(fp32(tmp_path / "a", sigma_max=378.0), tmp_path / "b")
    pipeline = DiffusionPipeline.from_pretrained(tmp_path / "b")
    assert pipeline.scheduler.config.sigma_max == 378.0
    assert pipeline.unet.config.sample_size == 32


def test_what_diffusers_cannot_express_is_said(tmp_path: Path, tiny_model: ScoreModel) -> None:
    with pytest.raises(SdeditError, match="UNet2DModel has no"):
        convert_model(tiny_model, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(SdeditError, match=r"\.safetensors, or a folder"):
        convert_model(tiny_model, tmp_path / "out.bin")


def test_converting_over_something_needs_to_be_asked(tmp_path: Path, tiny_model: ScoreModel) -> None:
    convert_model(tiny_model, tmp_path / "out.safetensors")
    with pytest.raises(SdeditError, match="--overwrite"):
        convert_model(tiny_model, tmp_path / "out.safetensors")
    convert_model(tiny_model, tmp_path / "out.safetensors", overwrite=True)


def test_raw_weights_of_a_file_without(tiny_checkpoint: Path) -> None:
    with pytest.raises(SdeditError, match="one set of weights"):
        fp32(tiny_checkpoint, raw_weights=True)


def test_index_of_the_nearest_level() -> None:
    preconditioning = VEIndexPreconditioning(0.01, 90.0, 1000)
    grid = sigma_table(90.0, 1000).float()
    assert torch.equal(preconditioning.index(grid), torch.arange(1000.0))
    between = (grid[10] * grid[11]).sqrt()
    assert preconditioning.index(between[None] * 1.001).item() == 10
    assert preconditioning.index(between[None] * 0.999).item() == 11
    assert preconditioning.index(torch.tensor([1e3, 1e-4])).tolist() == [0, 999]


def test_own_format_keeps_the_index_preconditioning(tmp_path: Path, tiny_model: ScoreModel) -> None:
    import dataclasses

    model = dataclasses.replace(tiny_model, preconditioning=VEIndexPreconditioning(0.01, 90.0, 1000))
    convert_model(model, tmp_path / "a.safetensors")
    assert fp32(tmp_path / "a.safetensors").preconditioning == model.preconditioning


def test_verify(tmp_path: Path, tiny_model: ScoreModel, unet: UNet2DModel) -> None:
    checks = verify_model(tiny_model)
    assert [round(check.sigma, 3) for check in checks] == [0.01, 0.707, 50.0]
    unet.save_pretrained(tmp_path)
    model = fp32(tmp_path, sigma_max=380.0)
    sound = verify_model(model)
    assert len(sound) == 3
    for tensor in model.network.decoder[-1].to_image.conv.parameters():
        tensor.mul_(50)
    with pytest.raises(SdeditError, match="does not work"):
        verify_model(model)
    model.network.stem.weight.fill_(math.inf)
    with pytest.raises(SdeditError, match="no finite image"):
        verify_model(model)


@pytest.mark.parametrize("zipped", [True, False])
def test_what_trainings_keep_beside_their_weights_is_taken_as_data(
    tmp_path: Path, unet: UNet2DModel, state: State, zipped: bool
) -> None:
    path = tmp_path / "training.pth"
    content = training_checkpoint(other(state), state, sigma_table(380, 2000), "")
    counts: dict[str, int] = defaultdict(int)
    counts["epochs"] = 3
    content |= {
        "args": argparse.Namespace(lr=1e-4, out=tmp_path), "step": np.int64(7), "loss": np.float64(0.5), "n": counts,
    }  # fmt: skip
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert agrees(fp32(path), unet)


def test_a_moving_average_by_name(tmp_path: Path, unet: UNet2DModel, state: State) -> None:
    path = tmp_path / "named.pth"
    listed = training_checkpoint(other(state), state, sigma_table(380, 2000), "")
    shadow = {f"module.{name}": tensor for name, tensor in state.items()}
    for average in (shadow, {"shadow_params": shadow, "decay": 0.999, "num_updates": 3}, {"shadow": shadow}):
        torch.save({**listed, "ema": average}, path)
        assert agrees(fp32(path), unet)
        assert fp32(path).card["weights"] == "EMA"
    # What is advised where it cannot be read works.
    shadow.popitem()
    for average in (7, {"decay": 0.9}, shadow):
        torch.save({**listed, "ema": average}, path)
        with pytest.raises(SdeditError, match="--raw-weights"):
            fp32(path)
        assert fp32(path, raw_weights=True).card["weights"] == "raw"


def test_conversion_to_half_the_size(tmp_path: Path, tiny_model: ScoreModel) -> None:
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    convert_model(tiny_model, whole)
    convert_model(tiny_model, half, dtype="float16")
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    verify_model(fp32(half))
    with pytest.raises(SdeditError, match="leave out --dtype"):
        convert_model(tiny_model, tmp_path / "folder", dtype="float16")

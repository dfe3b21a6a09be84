"""What is no unconditional network of pictures is refused in a sentence; hostile files in the new layouts."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from sdedit import SdeditError, load_model
from sdedit.checkpoints.formats.assumptions import Assumptions
from sdedit.jobs.models import convert_model
from tests.helpers.published_files import random_unet, sigma_table, training_checkpoint, write_edm
from tests.helpers.references import SongUNet, Tensors
from tests.helpers.references_vp import Guided
from tests.helpers.vp_files import SCHEDULER, google_options, in_pytorch_diffusion_names

State = dict[str, torch.Tensor]


def guided(**changes: torch.Tensor) -> State:
    reference, state = Guided(32, (1, 2), 1, (1,), head_channels=0), Tensors(seed=0)
    reference(state, torch.zeros(1, 3, 8, 8), torch.zeros(1))
    return {**state, **{name.replace("__", "."): tensor for name, tensor in changes.items()}}


def official() -> State:
    return in_pytorch_diffusion_names(random_unet(google_options((32, 64), 1, 32)).state_dict(), 2)


ONE = torch.zeros(1)
WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "64x64_diffusion": (lambda: guided(label_emb__weight=torch.zeros(1000, 128)), "class-conditional"),
    "upsampler": (lambda: guided(input_blocks__0__0__weight=torch.zeros(32, 6, 3, 3)), "upsampler"),
    "latent": (lambda: guided(input_blocks__0__0__weight=torch.zeros(32, 4, 3, 3)), "latent"),
    "inpainting": (lambda: guided(input_blocks__0__0__weight=torch.zeros(32, 9, 3, 3)), "inpainting"),
    "classifier": (lambda: {"input_blocks.0.0.weight": torch.zeros(8, 3, 3, 3), "out.0.weight": ONE}, "classifier"),
    "text": (lambda: guided(middle_block__1__encoder_kv__weight=ONE), "conditioned on text"),
    "stable diffusion": (lambda: {"state_dict": {"model.diffusion_model.out.0.weight": ONE}}, "latent diffusion"),
    "unwrapped": (lambda: {"model.diffusion_model.input_blocks.0.0.weight": ONE}, "latent diffusion"),
    "vae": (lambda: {"encoder.down.0.block.0.norm1.weight": ONE, "quant_conv.weight": ONE}, "autoencoder"),
    "lora": (lambda: {"unet.down_blocks.0.attentions.0.to_q.lora.down.weight": ONE}, "LoRA"),
    "optimizer": (lambda: {"state": {0: {"exp_avg": ONE}}, "param_groups": [{"lr": 1e-4}]}, "optimizer"),
    "sd unet": (lambda: {"down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight": ONE}, "text"),
    "list": (lambda: [1, 2, 3], "no weights by name"),
    "grey": (lambda: {**official(), "conv_in.weight": torch.zeros(32, 1, 3, 3)}, "3 channels"),
    "part": (lambda: {name: value for name, value in official().items() if "mid." not in name}, "lacks"),
    "more": (lambda: {**official(), "extra.weight": ONE}, "does not have"),
    "more guided": (lambda: guided(label_proj__weight=ONE), "does not have"),
    "half a decoder": (lambda: {k: v for k, v in guided().items() if "output_blocks.3" not in k}, "lacks|no ADM"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files_are_named(tmp_path: Path, name: str) -> None:
    make, words = WRONG[name]
    path = tmp_path / "model.pt"
    torch.save(make(), path)
    with pytest.raises(SdeditError, match=words) as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("_class_name", "UNet2DConditionModel", "Condition"),
        ("num_class_embeds", 10, "num_class_embeds 10: it is a class-conditional"),
        ("class_embed_type", "timestep", "class-conditional"),
        ("in_channels", 6, "in_channels"),
        ("out_channels", 4, "out_channels"),
        ("center_input_sample", True, "center_input_sample"),
        ("act_fn", "gelu", "act_fn"),
        ("flip_sin_to_cos", True, "flip_sin_to_cos"),
        ("mid_block_scale_factor", 1.4142135, "mid_block_scale_factor"),
        ("add_attention", False, "add_attention"),
        ("norm_num_groups", None, "cannot be"),
        ("norm_num_groups", 7, "cannot be"),
        ("attention_head_dim", 7, "cannot be"),
        ("attention_head_dim", "8", "cannot be"),
        ("layers_per_block", 10**6, "cannot be"),
        ("block_out_channels", [32], "fit together"),
        ("block_out_channels", [None, 64], "list"),
        ("block_out_channels", "32", "list"),
        ("down_block_types", ["DownBlock2D", "KDownBlock2D"], "KDownBlock2D"),
        ("down_block_types", ["AttnDownBlock2D", "AttnDownBlock2D"], "only"),
        ("down_block_types", ["ResnetDownsampleBlock2D", "AttnDownBlock2D"], "fit together"),
        ("down_block_types", 7, "list"),
        ("resnet_time_scale_shift", "spatial", "resnet_time_scale_shift"),
        ("resnet_time_scale_shift", "scale_shift", "attn_norm_num_groups"),
    ],
)
def test_folders_that_would_compute_something_else(tmp_path: Path, option: str, value: object, words: str) -> None:
    random_unet(google_options((32, 64), 1, 32)).save_pretrained(tmp_path)
    options = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(options | {option: value}))
    with pytest.raises(SdeditError, match=words):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("beta_schedule", "scaled_linear", "scaled_linear"),
        ("beta_schedule", ["linear"], "another noise schedule"),
        ("trained_betas", [0.1, 0.2], "betas of its own"),
        ("rescale_betas_zero_snr", True, "betas of its own"),
        ("prediction_type", "flow", "flow"),
        ("num_train_timesteps", 10**9, "impossible"),
        ("beta_end", "0.02", "impossible"),
        ("sigma_max", 380.0, "another noise schedule"),
    ],
)
def test_schedulers_of_another_training(tmp_path: Path, option: str, value: object, words: str) -> None:
    random_unet(google_options((32, 64), 1, 32)).save_pretrained(tmp_path)
    (tmp_path / "scheduler_config.json").write_text(json.dumps({**SCHEDULER, option: value}))
    with pytest.raises(SdeditError, match=words):
        load_model(tmp_path)


def test_latent_pipelines_of_three_channels(tmp_path: Path) -> None:
    random_unet(google_options((32, 64), 1, 32)).save_pretrained(tmp_path / "unet")
    (tmp_path / "model_index.json").write_text(json.dumps({"unet": ["diffusers", "UNet2DModel"], "vqvae": ["a", "b"]}))
    with pytest.raises(SdeditError, match="latent"):
        load_model(tmp_path)


def test_assumptions_are_for_what_a_file_leaves_open(tmp_path: Path) -> None:
    torch.save(official(), tmp_path / "a.ckpt")
    torch.save(guided(), tmp_path / "b.pt")
    cosine = load_model(tmp_path / "a.ckpt", assumptions=Assumptions("cosine", 4000, size=64))
    assert (cosine.schedule.betas, cosine.schedule.timesteps, cosine.native_size) == ("cosine", 4000, 64)  # type: ignore[attr-defined]
    with pytest.raises(SdeditError, match="heads"):
        load_model(tmp_path / "a.ckpt", assumptions=Assumptions(heads=2))
    heads = load_model(tmp_path / "b.pt", assumptions=Assumptions(head_channels=16, size=32))
    assert heads.network.config.head_channels == 16
    with pytest.raises(SdeditError, match="heads"):
        load_model(tmp_path / "b.pt", assumptions=Assumptions(heads=3))
    convert_model(heads, tmp_path / "c.safetensors")
    again = load_model(tmp_path / "c.safetensors")
    assert (again.network.config, again.schedule) == (heads.network.config, heads.schedule)
    with pytest.raises(SdeditError, match="leave that out"):
        load_model(tmp_path / "c.safetensors", assumptions=Assumptions("linear"))


def test_there_and_back_through_diffusers_is_exact(tmp_path: Path) -> None:
    from diffusers import DDPMPipeline, UNet2DModel

    torch.save(official(), tmp_path / "a.ckpt")
    first = load_model(tmp_path / "a.ckpt", precision="fp32")
    convert_model(first, tmp_path / "b")
    second = load_model(tmp_path / "b", precision="fp32")
    assert (second.network.config, second.schedule) == (first.network.config, first.schedule)
    assert (second.preconditioning, second.native_size) == (first.preconditioning, first.native_size)
    for name, tensor in first.network.state_dict().items():
        assert torch.equal(tensor, second.network.state_dict()[name]), name
    theirs = UNet2DModel.from_pretrained(tmp_path / "b", subfolder="unet")
    for name, tensor in random_unet(google_options((32, 64), 1, 32)).state_dict().items():
        assert torch.equal(tensor, theirs.state_dict()[name]), name
    pipeline = DDPMPipeline.from_pretrained(tmp_path / "b")
    assert pipeline.scheduler.config.prediction_type == "epsilon"
    continuous = load_model(tmp_path / "a.ckpt", assumptions=Assumptions("continuous"))
    with pytest.raises(SdeditError, match="UNet2DModel has no"):
        convert_model(continuous, tmp_path / "d")


class Reduced:
    """Unpickles by running a command."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


def _giant(state: State) -> State:
    # Zero strides: a terabyte of shape over one number.
    giant = torch.zeros(1).expand(1 << 20, 1 << 20)
    return {name: giant if tensor.dim() == 4 else tensor for name, tensor in state.items()}


HOSTILE: dict[str, Callable[[Path], Any]] = {
    "code in a list": lambda marker: [official(), Reduced(marker), 1, 2, official()],
    "code among the weights": lambda marker: {**official(), "x": Reduced(marker)},
    "code among guided weights": lambda marker: {**guided(), "x": Reduced(marker)},
    "code beside the weights": lambda marker: {"model": official(), "optimizer": Reduced(marker)},
    "code in the average": lambda marker: {"model": official(), "ema": {**official(), "x": Reduced(marker)}},
    "views within": lambda marker: {"state_dict": _giant(guided()), "ema": _giant(guided())},
    "views": lambda marker: _giant(official()),
    "guided views": lambda marker: _giant(guided()),
    "views in a list": lambda marker: [_giant(official()), {}, 1, 2],
    "many levels": lambda marker: {
        **official(), **{f"down.{n}.block.0.conv1.weight": torch.zeros(8, 8, 3, 3) for n in range(900)}
    },
    "many steps": lambda marker: {
        **guided(), **{f"output_blocks.{n}.0.out_layers.3.weight": torch.zeros(8, 8, 3, 3) for n in range(900)}
    },
    "numbers for names": lambda marker: {1: ONE, "down.0.block.0.conv1.weight": ONE},
    "no dimensions": lambda marker: {name: torch.tensor(0.0) for name in guided()},
    "no dimensions, official": lambda marker: {name: torch.tensor(0.0) for name in official()},
    "integers": lambda marker: {name: tensor.long() for name, tensor in official().items()},
    "not a number": lambda marker: {name: tensor * torch.nan for name, tensor in guided().items()},
    "qkv that does not divide": lambda marker: {
        **guided(), "input_blocks.3.1.qkv.weight": torch.zeros(6, 64, 1), "input_blocks.3.1.qkv.bias": torch.zeros(6)
    },
}  # fmt: skip


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_in_the_new_layouts(tmp_path: Path, name: str, zipped: bool) -> None:
    path, marker = tmp_path / "model.pt", tmp_path / "marker"
    torch.save(HOSTILE[name](marker), path, _use_new_zipfile_serialization=zipped)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SdeditError) as caught:
        load_model(path, precision="fp32")
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 600
    assert not marker.exists()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_500_000, "kilobytes"


@pytest.mark.parametrize("attributes", [{"M": 0}, {"M": 1e30}, {"beta_min": -1.0}, {"beta_d": float("nan")}])
def test_impossible_numbers_in_an_edm_pickle(tmp_path: Path, attributes: dict[str, Any]) -> None:
    state = Tensors(seed=0)
    SongUNet(state, 32, (1, 1), blocks=1)(torch.zeros(1, 3, 32, 32), torch.zeros(1))
    write_edm(tmp_path / "a.pkl", dict(state), "VPPrecond", **attributes)
    with pytest.raises(SdeditError, match="impossible noise levels"):
        load_model(tmp_path / "a.pkl")


def test_a_ddpmpp_file_is_no_longer_taken_for_a_variance_exploding_one(tmp_path: Path) -> None:
    from tests.helpers.references_vp import DDPMpp

    state = Tensors(seed=1)
    DDPMpp(state, 1, fourier=False)(torch.zeros(1, 3, 32, 32), torch.zeros(1))
    torch.save(training_checkpoint(dict(state), dict(state), sigma_table(50.0, 1000)), tmp_path / "a.pth")
    model = load_model(tmp_path / "a.pth")
    assert (model.preconditioning.kind, model.network.config.resampling) == ("vp", "mean")
    assert any("is assumed" in note for note in model.notes)

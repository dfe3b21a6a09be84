"""Files that nearly are what the readers know: read for what they are, with what is assumed said, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from sdedit import ScoreModel, SdeditError, load_model
from sdedit.checkpoints.formats.assumptions import Assumptions
from sdedit.diffusion.preconditioning import VPPreconditioning
from sdedit.diffusion.vp_schedule import VPSchedule
from tests.helpers.commands import Command, fails_in_one_sentence
from tests.helpers.published_files import random_unet, sigma_table, training_checkpoint
from tests.helpers.references import Cifar, Tensors
from tests.helpers.references_vp import Guided
from tests.helpers.vp_files import SCHEDULER, google_options, in_pytorch_diffusion_names

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def official() -> State:
    return in_pytorch_diffusion_names(random_unet(google_options((32, 64), 1, 32)).state_dict(), 2)


def guided(out: int = 6, updown: bool = True) -> State:
    reference, state = Guided(32, (1, 2), 1, (1,), head_channels=0, out=out, updown=updown), Tensors(seed=0)
    reference(state, torch.zeros(1, 3, 8, 8), torch.zeros(1))
    return dict(state)


def doubled(state: State) -> State:
    return {name: 2 * tensor for name, tensor in state.items()}


def load(content: object, path: Path, **options: Any) -> ScoreModel:
    torch.save(content, path)
    return load_model(path, precision="fp32", **options)


def same(first: ScoreModel, second: ScoreModel, factor: float = 1.0) -> bool:
    weights = second.network.state_dict()
    return all(torch.equal(tensor, factor * weights[name]) for name, tensor in first.network.state_dict().items())


@pytest.mark.parametrize("kind", ["official", "guided"])
def test_weights_within_a_training_checkpoint(tmp_path: Path, official: State, kind: str) -> None:
    state = official if kind == "official" else guided()
    plain = load(state, tmp_path / "plain.pt")
    for content in (
        {"state_dict": state, "epoch": 3},
        {"model": {f"module.{name}": tensor for name, tensor in state.items()}, "optimizer": {"state": {}}},
        {"model_state_dict": doubled(state), "ema_state_dict": state, "step": 7},
        {"model": doubled(state), "ema": {f"_orig_mod.{name}": tensor for name, tensor in state.items()}},
        {"generator": state},
    ):
        model = load(content, tmp_path / "nested.pt")
        assert same(model, plain)
        averaged = any("ema" in name for name in content)
        assert model.card.get("weights") == ("EMA" if averaged else None)
        if averaged:
            raw = load(content, tmp_path / "nested.pt", raw_weights=True)
            assert same(raw, plain, 2.0)
            assert raw.card["weights"] == "raw"
        else:
            with pytest.raises(SdeditError, match="one set of weights"):
                load(content, tmp_path / "nested.pt", raw_weights=True)
    model = load({"model": state, "ema": {"shadow_params": [*state.values()]}}, tmp_path / "listed.pt")
    assert model.card["weights"] == "raw"
    assert any("moving average, ema, is not in a form" in note for note in model.notes)
    with pytest.raises(SdeditError, match=r"several sets of weights \(generator, discriminator\)"):
        load({"generator": state, "discriminator": state}, tmp_path / "gan.pt")


def test_adm_without_variance_may_be_something_else(tmp_path: Path, sdedit: Command) -> None:
    """Consistency models and EDM's of openai/consistency_models have the very tensors."""
    with pytest.raises(SdeditError, match="consistency models and EDM"):
        load(guided(out=3), tmp_path / "edm_bedroom256_ema.pt")
    words = ["models", "convert", "edm_bedroom256_ema.pt", "ddpm.safetensors"]
    fails_in_one_sentence(sdedit(*words), "--schedule linear")
    result = sdedit(*words, "--schedule", "linear")
    assert result.returncode == 0, result.stderr
    assert "wrote ddpm.safetensors" in result.stderr.decode()
    assert load_model(tmp_path / "ddpm.safetensors").schedule == VPSchedule()
    assert load(guided(out=3, updown=False), tmp_path / "improved.pt").schedule == VPSchedule()


def test_the_order_of_attention_heads_can_be_told(tmp_path: Path) -> None:
    state = guided()
    legacy = load(state, tmp_path / "a.pt")
    assert any("their order" in note and "head by head" in note for note in legacy.notes)
    heads = legacy.network.config.heads
    new = {
        name: tensor.unflatten(0, (heads, 3, -1)).transpose(0, 1).flatten(0, 2) if ".qkv." in name else tensor
        for name, tensor in state.items()
    }
    assert same(load(new, tmp_path / "b.pt", assumptions=Assumptions(attention_order="new")), legacy)
    assert same(load(state, tmp_path / "a.pt", assumptions=Assumptions(attention_order="legacy")), legacy)
    assert not same(load(new, tmp_path / "b.pt"), legacy)


def test_what_is_assumed_is_said_and_kept(tmp_path: Path, sdedit: Command, official: State) -> None:
    for content, words in ((official, ["noise schedule", "what it predicts"]), (guided(), ["attention heads"])):
        torch.save(content, tmp_path / "a.pt")
        for command in (["info", "a.pt"], ["models", "verify", "a.pt"], ["models", "convert", "a.pt", "b.safetensors"]):
            result = sdedit(*command)
            assert result.returncode == 0, result.stderr
            for word in words:
                assert word in result.stdout.decode() + result.stderr.decode(), command
        converted = json.loads(sdedit("info", "b.safetensors", "--json").stdout)
        assert all(word in converted["assumed"] for word in words)
        (tmp_path / "b.safetensors").unlink()
    given = ["--schedule", "linear", "--prediction", "v"]
    result = sdedit("models", "convert", "a.pt", "b.safetensors", *given, "--heads", 1, "--size", 8)
    assert result.returncode == 0, result.stderr
    assert b"what it predicts" not in result.stderr
    assert load_model(tmp_path / "b.safetensors").preconditioning == VPPreconditioning(VPSchedule(), "v")
    v = load(official, tmp_path / "a.ckpt", assumptions=Assumptions(prediction="v"))
    assert v.preconditioning == VPPreconditioning(VPSchedule(), "v")
    assert any("noise schedule" in note and "predicts" not in note for note in v.notes)


def test_published_names_with_another_word_in_them_are_refused(tmp_path: Path, official: State) -> None:
    for old, new in (("temb.dense.0", "temb.0"), ("mid.attn_1", "mid.attn"), ("nin_shortcut", "conv_shortcut")):
        renamed = {name.replace(old, new): tensor for name, tensor in official.items()}
        assert renamed.keys() != official.keys()
        with pytest.raises(SdeditError, match=r"lacks|no use for|no DDPM"):
            load(renamed, tmp_path / "a.ckpt")
    for old, new in (("emb_layers", "emb"), ("output_blocks", "up_blocks"), ("out.2", "out.1")):
        renamed = {name.replace(old, new): tensor for name, tensor in guided().items()}
        with pytest.raises(SdeditError, match=r"lacks|no use for|no ADM|puts out"):
            load(renamed, tmp_path / "a.pt")
    prefixed = {f"model.{name}": tensor for name, tensor in official.items()}
    with pytest.raises(SdeditError, match="no other that it reads"):
        load(prefixed, tmp_path / "a.ckpt")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"num_train_timesteps": 250}, VPPreconditioning(VPSchedule("linear", 250))),
        ({"beta_start": 1e-3, "beta_end": 0.01}, VPPreconditioning(VPSchedule("linear", 1000, 1e-3, 0.01))),
        ({"beta_schedule": "squaredcos_cap_v2"}, VPPreconditioning(VPSchedule("cosine"))),
        ({"prediction_type": "v_prediction"}, VPPreconditioning(VPSchedule(), "v")),
        ({"prediction_type": "sample"}, VPPreconditioning(VPSchedule(), "x0")),
        ({"predict_epsilon": False}, VPPreconditioning(VPSchedule(), "x0")),
        ({"predict_epsilon": True}, VPPreconditioning(VPSchedule())),
        ({"_class_name": "DDIMScheduler"}, VPPreconditioning(VPSchedule())),
        ({"_class_name": "GaussianDDPMScheduler", "timesteps": 500, "num_train_timesteps": None}, None),
        ({"_class_name": "HeunDiscreteScheduler"}, None),
        ({"_class_name": "ScoreSdeVpScheduler"}, None),
        ({"_class_name": "EDMEulerScheduler"}, None),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler"}, None),
        ({"_class_name": ["DDPMScheduler"]}, None),
        ({"prediction_type": "flow_prediction"}, None),
    ],
)
def test_schedulers_are_read_for_what_they_say(
    tmp_path: Path, options: dict[str, Any], expected: VPPreconditioning | None
) -> None:
    random_unet(google_options((32, 64), 1, 32)).save_pretrained(tmp_path)
    (tmp_path / "scheduler_config.json").write_text(json.dumps({**SCHEDULER, **options}))
    if expected is not None:
        model = load_model(tmp_path, precision="fp32")
        assert (model.preconditioning, model.schedule) == (expected, expected.schedule)
        return
    with pytest.raises(SdeditError, match=r"scheduler_config\.json"):
        load_model(tmp_path, precision="fp32")


def test_old_schedulers_say_timesteps(tmp_path: Path) -> None:
    random_unet(google_options((32, 64), 1, 32)).save_pretrained(tmp_path)
    old = {"_class_name": "GaussianDDPMScheduler", "timesteps": 500, "beta_schedule": "linear"}
    (tmp_path / "scheduler_config.json").write_text(json.dumps(old))
    assert load_model(tmp_path, precision="fp32").schedule == VPSchedule("linear", 500)


def test_a_variance_exploding_network_with_another_scheduler(tmp_path: Path) -> None:
    from tests.helpers.published_files import OPTIONS_SMALL

    random_unet(OPTIONS_SMALL).save_pretrained(tmp_path)
    for kind in ("DDPMScheduler", "ScoreSdeVpScheduler", "KarrasVeScheduler"):
        (tmp_path / "scheduler_config.json").write_text(json.dumps({"_class_name": kind, "sigma_max": 100.0}))
        with pytest.raises(SdeditError, match=kind):
            load_model(tmp_path, precision="fp32")


@torch.inference_mode()
def test_a_pyramid_and_positions_may_be_of_either_kind(tmp_path: Path) -> None:
    state = Tensors(seed=1)
    Cifar(state, 1, fourier=False)(torch.zeros(1, 3, 32, 32), torch.zeros(1))
    model = load(training_checkpoint(dict(state), dict(state), sigma_table(50.0, 1000)), tmp_path / "a.pth")
    assert model.preconditioning.kind == "ve-index"
    assert any("variance explodes" in note for note in model.notes)


def test_half_precision_and_learned_variance(tmp_path: Path, official: State) -> None:
    halves = {name: tensor.half() for name, tensor in official.items()}
    model = load(halves, tmp_path / "half.ckpt")
    assert torch.equal(model.network.stem.weight, halves["conv_in.weight"].float())
    whole = guided()
    cut = load(whole, tmp_path / "a.pt").network.state_dict()["head.conv.weight"]
    assert torch.equal(cut, whole["out.2.weight"][:3])
    six = {**official, "conv_out.weight": torch.zeros(6, 32, 3, 3), "conv_out.bias": torch.zeros(6)}
    with pytest.raises(SdeditError, match="3 channels"):
        load(six, tmp_path / "six.ckpt")

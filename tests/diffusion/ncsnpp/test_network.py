"""NCSN++ against an independent implementation, and its parts against their definitions."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdedit.diffusion.layers.resample import FIRDown, FIRUp
from sdedit.diffusion.ncsnpp import NCSNpp, NetworkConfig
from sdedit.diffusion.ncsnpp.blocks import Attention, InputResidual, ResidualBlock
from sdedit.diffusion.ncsnpp.embedding import PositionalFeatures
from tests.helpers.models import CHURCH_CUT_SMALL, OPTIONS, randomise


def diffusers_twin(size: int) -> nn.Module:
    from diffusers import UNet2DModel

    return UNet2DModel(
        sample_size=size,
        in_channels=3,
        out_channels=3,
        center_input_sample=False,
        time_embedding_type="fourier",
        freq_shift=0,
        flip_sin_to_cos=True,
        block_out_channels=CHURCH_CUT_SMALL.channels,
        layers_per_block=2,
        down_block_types=["SkipDownBlock2D"] * 4 + ["AttnSkipDownBlock2D"] + ["SkipDownBlock2D"] * 2,
        up_block_types=["SkipUpBlock2D"] * 2 + ["AttnSkipUpBlock2D"] + ["SkipUpBlock2D"] * 4,
        mid_block_scale_factor=math.sqrt(2),
        norm_eps=1e-6,
        norm_num_groups=None,
        attention_head_dim=None,
    )


def their_names(network: NCSNpp) -> Iterator[tuple[str, str]]:
    """Pairs of our module name and theirs."""
    yield from (("embedding.linear0", "time_embedding.linear_1"), ("embedding.linear1", "time_embedding.linear_2"))
    yield "stem", "conv_in"
    block = {
        "norm0": "norm1",
        "conv0": "conv1",
        "project": "time_emb_proj",
        "norm1": "norm2",
        "conv1": "conv2",
        "shortcut": "conv_shortcut",
    }
    levels = network.config.levels
    ours_to_theirs = {}
    for level in range(levels):
        for index in range(2):
            ours_to_theirs[f"encoder.{level}.blocks.{index}"] = f"down_blocks.{level}.resnets.{index}"
        ours_to_theirs[f"encoder.{level}.down"] = f"down_blocks.{level}.resnet_down"
        for index in range(3):
            ours_to_theirs[f"decoder.{level}.blocks.{index}"] = f"up_blocks.{level}.resnets.{index}"
        ours_to_theirs[f"decoder.{level}.up"] = f"up_blocks.{level}.resnet_up"
    ours_to_theirs["middle.block0"] = "mid_block.resnets.0"
    ours_to_theirs["middle.block1"] = "mid_block.resnets.1"
    for ours, theirs in ours_to_theirs.items():
        yield from ((f"{ours}.{a}", f"{theirs}.{b}") for a, b in block.items())
    for level in range(levels - 1):
        yield f"encoder.{level}.join.mix", f"down_blocks.{level}.skip_conv"
        yield f"decoder.{level}.to_image.norm", f"up_blocks.{level}.skip_norm"
        yield f"decoder.{level}.to_image.conv", f"up_blocks.{level}.skip_conv"
    yield f"decoder.{levels - 1}.to_image.norm", "conv_norm_out"
    yield f"decoder.{levels - 1}.to_image.conv", "conv_out"


def copy_into_twin(network: NCSNpp, twin: nn.Module) -> None:
    ours, theirs = dict(network.named_modules()), dict(twin.named_modules())
    copied = set()
    for our_name, their_name in their_names(network):
        if ours.get(our_name) is None:
            assert theirs.get(their_name) is None, their_name
            continue
        theirs[their_name].load_state_dict(ours[our_name].state_dict())
        copied |= {f"{their_name}.weight", f"{their_name}.bias"}
    attentions = {
        "encoder.4.attentions.0": "down_blocks.4.attentions.0",
        "encoder.4.attentions.1": "down_blocks.4.attentions.1",
        "middle.attention": "mid_block.attentions.0",
        "decoder.2.attention": "up_blocks.2.attentions.0",
    }
    for our_name, their_name in attentions.items():
        ours_here, theirs_here = ours[our_name], theirs[their_name]
        theirs_here.group_norm.load_state_dict(ours_here.norm.state_dict())
        parts = zip(ours_here.qkv.weight.chunk(3), ours_here.qkv.bias.chunk(3), strict=True)
        for layer, (weight, bias) in zip((theirs_here.to_q, theirs_here.to_k, theirs_here.to_v), parts, strict=True):
            layer.load_state_dict({"weight": weight[:, :, 0, 0], "bias": bias})
        out = ours_here.out
        theirs_here.to_out[0].load_state_dict({"weight": out.weight[:, :, 0, 0], "bias": out.bias})
        for layer in ("group_norm", "to_q", "to_k", "to_v", "to_out.0"):
            copied |= {f"{their_name}.{layer}.weight", f"{their_name}.{layer}.bias"}
    twin.time_proj.weight.data.copy_(network.embedding.features.frequencies)
    assert {name for name, _ in twin.named_parameters()} - copied <= {"time_proj.weight"}


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 128)])
def test_equals_diffusers_for_the_256_px_layout(height: int, width: int) -> None:
    network = NCSNpp(CHURCH_CUT_SMALL).eval()
    randomise(network)
    twin = diffusers_twin(64).eval()
    copy_into_twin(network, twin)
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(3, 3, height, width, generator=generator)
    sigma = torch.tensor([0.01, 0.7, 300.0])
    with torch.no_grad():
        ours = network(x, sigma.log())
        theirs = twin(x, sigma).sample * sigma[:, None, None, None]  # they divide by sigma at the end
    assert ours.std() > 0.01
    assert (ours - theirs).abs().max() < 1e-4 * ours.std()


def test_fir_filters_against_zero_insertion_and_convolution() -> None:
    x = torch.randn(2, 3, 10, 8, dtype=torch.float64)
    taps = torch.tensor([1.0, 3, 3, 1], dtype=torch.float64) / 8
    kernel = torch.outer(taps, taps)[None, None].expand(3, 1, 4, 4)

    down = F.conv2d(F.pad(x, (1, 1, 1, 1)), kernel, groups=3)[:, :, ::2, ::2]
    torch.testing.assert_close(FIRDown().double()(x), down)

    spread = torch.zeros(2, 3, 20, 16, dtype=torch.float64)
    spread[:, :, ::2, ::2] = x
    up = F.conv2d(F.pad(spread, (2, 1, 2, 1)), 4 * kernel, groups=3)
    torch.testing.assert_close(FIRUp().double()(x), up)


def test_attention_is_softmax_over_all_pixels() -> None:
    attention = Attention(8, skip_rescale=True).double()
    randomise(attention)
    attention.double()
    x = torch.randn(2, 8, 3, 5, dtype=torch.float64)
    q, k, v = attention.qkv(attention.norm(x)).flatten(2).chunk(3, dim=1)
    weights = torch.einsum("bci,bcj->bij", q, k).div(math.sqrt(8)).softmax(dim=2)
    mixed = torch.einsum("bij,bcj->bci", weights, v).reshape(x.shape)
    torch.testing.assert_close(attention(x), (x + attention.out(mixed)) / math.sqrt(2))


def test_residual_pyramid_halves_with_padding_two() -> None:
    join = InputResidual(3, 8, skip_rescale=True)
    h, image = torch.randn(1, 8, 6, 10), torch.randn(1, 3, 12, 20)
    taps = torch.tensor([1.0, 3, 3, 1]) / 8
    kernel = torch.outer(taps, taps)[None, None].expand(3, 1, 4, 4)
    carried = F.conv2d(F.conv2d(F.pad(image, (2,) * 4), kernel, groups=3), join.conv.weight, join.conv.bias, stride=2)
    h_next, image_next = join(h, image)
    torch.testing.assert_close(h_next, (carried + h) / math.sqrt(2))
    assert h_next is image_next


def test_positional_features() -> None:
    features = PositionalFeatures(64)(torch.tensor([0.0, 7.0]))
    for k in (0, 1, 63):
        phase = 7 * math.exp(-math.log(10000) * k / 63)
        assert float(features[1, k]) == pytest.approx(math.sin(phase), abs=1e-5)
        assert float(features[1, 64 + k]) == pytest.approx(math.cos(phase), abs=1e-5)
    assert features[0].tolist() == [0.0] * 64 + [1.0] * 64


# Layouts of the published models: stem, multipliers, blocks, attention, options, size, number of parameters.
PUBLISHED = [
    (128, (1, 1, 2, 2, 2, 2, 2), 2, 4, {"input_pyramid": "skip", "output_pyramid": "skip"}, 65_574_549),
    (16, (1, 2, 4, 8, 16, 32, 32, 32), 1, 6, {"input_pyramid": "skip", "output_pyramid": "skip"}, 105_785_896),
    (128, (1, 2, 2, 2), 4, 1, {"input_pyramid": "residual"}, 62_758_915),
    (128, (1, 2, 2, 2), 4, 1, {"input_pyramid": "residual", "embedding": "positional"}, 62_693_251),
    (128, (1, 2, 2, 2), 8, 1, {"input_pyramid": "residual"}, 107_587_075),
]


@pytest.mark.parametrize(("stem", "multipliers", "blocks", "attention", "options", "count"), PUBLISHED)
def test_published_parameter_counts(
    stem: int, multipliers: tuple[int, ...], blocks: int, attention: int, options: dict, count: int
) -> None:
    channels = tuple(stem * multiplier for multiplier in multipliers)
    config = NetworkConfig(stem, channels, (blocks,) * len(channels), (attention,), **options)
    with torch.device("meta"):
        network = NCSNpp(config)
    assert sum(tensor.numel() for tensor in network.state_dict().values()) == count


@pytest.mark.parametrize("options", OPTIONS)
def test_any_multiple_of_the_size_runs_and_every_parameter_is_used(options: dict) -> None:
    config = NetworkConfig(8, (8, 12, 16), (1, 2, 1), **options)
    network = NCSNpp(config)
    randomise(network)
    multiple = config.size_multiple
    x = torch.randn(2, config.image_channels, 2 * multiple, 3 * multiple)
    y = network(x, torch.tensor([0.1, 2.0]))
    assert y.shape == x.shape
    y.square().mean().backward()
    unused = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # A convolution's bias just before a normalisation over single channels cancels; none of these is such.
    assert unused == []


def test_pictures_of_a_batch_do_not_mix() -> None:
    network = NCSNpp(CHURCH_CUT_SMALL).eval()
    randomise(network)
    x, label = torch.randn(2, 3, 64, 64), torch.tensor([0.5, -1.0])
    with torch.no_grad():
        torch.testing.assert_close(network(x, label)[1:], network(x[1:], label[1:]), rtol=1e-4, atol=1e-5)


def test_bfloat16_body_keeps_the_embedding_in_float32() -> None:
    network = NCSNpp(NetworkConfig(16, (16, 16), (1, 1)))
    randomise(network)
    network.cast_body(torch.bfloat16)
    assert network.embedding.linear0.weight.dtype == torch.float32
    assert network.stem.weight.dtype == torch.bfloat16
    assert network(torch.randn(1, 3, 8, 8), torch.zeros(1)).dtype == torch.bfloat16


def test_resampling_block_halves_both_branches() -> None:
    block = ResidualBlock(8, 8, 16, True, FIRDown())
    assert block(torch.randn(1, 8, 6, 4), torch.randn(1, 16)).shape == (1, 8, 3, 2)
    assert block.shortcut is not None


BAD_OPTIONS = [
    ({"channels": ()}, "channels"),
    ({"channels": (8,) * 13, "blocks": (1,) * 13}, "channels"),
    ({"channels": (8, 10**9), "blocks": (1, 1)}, "channels"),
    ({"channels": "88"}, "channels"),
    ({"channels": (8, 8.5), "blocks": (1, 1)}, "channels"),
    ({"blocks": (1,)}, "blocks"),
    ({"blocks": (1, 10**6)}, "blocks"),
    ({"attention_levels": (2,)}, "attention_levels"),
    ({"embedding": "other"}, "embedding"),
    ({"patch": 0}, "patch"),
    ({"patch": True}, "patch"),
    ({"skip_rescale": 1}, "skip_rescale"),
    ({"fourier_scale": math.nan}, "fourier_scale"),
]


@pytest.mark.parametrize(("options", "named"), BAD_OPTIONS)
def test_options_that_cannot_be(options: dict, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        NetworkConfig(**{"stem_channels": 8, "channels": (8, 8), "blocks": (1, 1), **options})


def test_time_reaches_the_output() -> None:
    network = NCSNpp(CHURCH_CUT_SMALL)
    randomise(network)
    x = torch.randn(1, 3, 64, 64)
    a: Tensor = network(x, torch.tensor([0.1]))
    assert not torch.allclose(a, network(x, torch.tensor([3.0])))

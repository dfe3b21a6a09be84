"""A model by its name, its file, its folder or its place on the hub, ready to run on a device."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from sdedit.checkpoints.checkpoint import Checkpoint, build_model, checksum
from sdedit.checkpoints.formats import ddpm, guided, others, score_sde, score_sde_modules
from sdedit.checkpoints.formats.assumptions import NOTHING, Assumptions
from sdedit.checkpoints.formats.containers import only_tensors, read_content
from sdedit.checkpoints.formats.detect import detect
from sdedit.checkpoints.formats.diffusers import read as diffusers
from sdedit.checkpoints.formats.diffusers.folder import network_folder, weight_files
from sdedit.checkpoints.formats.edm import read_edm
from sdedit.checkpoints.formats.native import is_native, read_native
from sdedit.checkpoints.formats.nested import find_network
from sdedit.checkpoints.formats.pickles import read_pickle
from sdedit.checkpoints.hub import ModelFile, find_model, verify_download
from sdedit.checkpoints.models import BUILT_IN
from sdedit.checkpoints.registry import UNMEASURED, complete
from sdedit.diffusion.device import compile_network, find_device, find_dtype
from sdedit.diffusion.score_model import ScoreModel
from sdedit.errors import SdeditError


def load_model(
    name_or_path: str | Path = BUILT_IN,
    device: str = "cpu",
    precision: str = "auto",
    *,
    compile: bool = False,
    raw_weights: bool = False,
    sigma_max: float | None = None,
    offline: bool = False,
    show_progress: bool = False,
    assumptions: Assumptions = NOTHING,
) -> ScoreModel:
    """Load a score model and put it on a device. Nothing in a file is ever executed.

    Args:
        name_or_path: a checkpoint file or a folder of diffusers; the name of a model (`sdedit models list`), which is
            downloaded once; or a place on the hub, hf:owner/name[/file][@revision].
        device: "auto", "cpu", "cuda", "cuda:N" or "mps"; "auto" takes a GPU if there is one.
        precision: "fp32", "bf16", "fp16", or "auto" for bf16 where the device is fast at it. The noise embedding, the
            sampler's state and the denoiser's output are float32 either way.
        compile: run the network by torch.compile, for each size of image, instead of its own kernels.
        raw_weights: take the network as it stood at the end of training instead of its moving average.
        sigma_max: highest noise level of the schedule, for images in [0, 1]; None for the model's own.
        offline: use only what has been downloaded before.
        show_progress: draw a bar on standard error while downloading.
        assumptions: what to take, instead of a guess, for what a file of weights alone does not say.

    Returns:
        The model, on its device and ready to run; `notes` says what had to be assumed.

    Raises:
        SdeditError: if there is no such model or device, the file is not a usable checkpoint, or the machine cannot
            compile.
    """
    target = find_device(device)
    dtype = find_dtype(target, precision)
    source = find_model(str(name_or_path), offline, show_progress)
    sha256 = verified_checksum(source)
    checkpoint = complete(read_checkpoint(source.path, raw_weights, assumptions), source.published, sigma_max)
    model = build_model(checkpoint, sha256)
    for network in model.networks:
        network.cast_body(dtype)
        network.to(target).to(memory_format=torch.channels_last)
        if compile:
            compile_network(network)
    return model


def read_checkpoint(path: Path, raw_weights: bool = False, assumptions: Assumptions = NOTHING) -> Checkpoint:
    """What a file or folder holds, whatever its format.

    Args:
        path: the file or folder.
        raw_weights: as in `load_model`.
        assumptions: what to take instead of a reader's guess.

    Raises:
        SdeditError: if it is not a usable checkpoint.
    """
    kind = detect(path)
    if kind == "pickle":
        checkpoint = read_edm(path, read_pickle(path))
    elif kind == "folder":
        checkpoint = diffusers.read_diffusers(path)
    elif kind == "safetensors" and is_native(path):
        checkpoint = read_native(path)
    else:
        return _foreign(_read_weights_file(path, read_content(path, kind), raw_weights, assumptions))
    assumptions.take_only(path)
    checkpoint = _checked(checkpoint, raw_weights)
    return checkpoint if kind == "safetensors" else _foreign(checkpoint)


def _read_weights_file(path: Path, content: object, raw_weights: bool, assumptions: Assumptions) -> Checkpoint:
    """A torch or safetensors file, whose layout the names in it tell."""
    if ddpm.is_training_list(content):
        return ddpm.read_ddpm(path, content, raw_weights, assumptions)
    others.refuse_other(path, content)
    if score_sde.is_training_checkpoint(content):
        return score_sde.read_score_sde(path, content, raw_weights, assumptions)
    found = find_network(path, content, raw_weights)
    others.refuse_other(path, found.content)
    checkpoint = _read_weights(path, found.content, raw_weights, assumptions)
    checkpoint.card |= {"weights": found.weights} if found.weights else {}
    checkpoint.notes += found.notes
    return _checked(checkpoint, raw_weights)


def _read_weights(path: Path, content: object, raw_weights: bool, assumptions: Assumptions) -> Checkpoint:
    """Tensors by name."""
    names = only_tensors(path, content).keys()
    if any(score_sde_modules.MARK in name for name in names):
        return score_sde.read_score_sde(path, content, raw_weights, assumptions)
    if any(name.startswith(ddpm.MARK) for name in names):
        return ddpm.read_ddpm(path, content, raw_weights, assumptions)
    if guided.MARK in names:
        return guided.read_guided(path, content, assumptions)
    if any(name.startswith(diffusers.MARK) for name in names):
        assumptions.take_only(path)
        return diffusers.read_diffusers(path)
    raise SdeditError(f"{path} is not an sdedit checkpoint, and no other that it reads has a tensor {min(names)[:80]}")


def _foreign(checkpoint: Checkpoint) -> Checkpoint:
    """One that was trained elsewhere, whose default must be safe without a measurement."""
    checkpoint.card.setdefault("sampler", UNMEASURED)
    return checkpoint


def _checked(checkpoint: Checkpoint, raw_weights: bool) -> Checkpoint:
    if raw_weights and checkpoint.card.get("weights") != "raw":
        raise SdeditError(f"{checkpoint.file} holds one set of weights only; leave out --raw-weights")
    return checkpoint


def verified_checksum(source: ModelFile) -> str:
    """SHA-256 of the file of weights; of the checksums of its parts, one per line, where it comes in parts.

    Raises:
        SdeditError: if a download is not what the hub promised.
    """
    kind = detect(source.path)
    files = weight_files(network_folder(source.path)) if kind == "folder" else [source.path]
    sums = [checksum(file) for file in files]
    for file, found in zip(files, sums, strict=True):
        verify_download(file, found)
    return sums[0] if len(sums) == 1 else hashlib.sha256("\n".join(sums).encode()).hexdigest()

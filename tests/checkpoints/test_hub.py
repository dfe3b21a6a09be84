"""Models by name against a server on this machine that answers as the hub does, with the real client library."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdedit import SdeditError
from sdedit.checkpoints.hub import verify_download
from tests.helpers.commands import Command, fails_in_one_sentence, run_here
from tests.helpers.hub_server import CHURCH, COMMIT, WEIGHTS, Hub, serve
from tests.helpers.published_files import random_unet, unet_options


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("unet")
    random_unet(unet_options((32, 128, 256), 1, 1, 32)).save_pretrained(folder)
    (folder / "scheduler_config.json").write_text(json.dumps({"sigma_min": 0.01, "sigma_max": 123.0}))
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def hub(files: dict[str, bytes]) -> Iterator[Hub]:
    with serve(files) as hub:
        yield hub


@pytest.fixture
def models(hub: Hub, tmp_path: Path) -> Command:
    """`sdedit info …` and `sdedit models …` with the server as the hub and a cache of its own."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
        place = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "cache")}
        quiet = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_ETAG_TIMEOUT": "3", "HF_TOKEN": "", "NO_PROXY": "127.0.0.1"}
        words = list(arguments) if arguments[0] == "info" else ["models", *arguments]
        environment = {**quiet, **place, **environment}
        return run_here(words, tmp_path, environment=environment, anew=["huggingface_hub"])

    return run


def said(result: subprocess.CompletedProcess) -> str:
    """The one sentence of a failed command."""
    fails_in_one_sentence(result)
    assert result.returncode == 1
    return result.stderr.decode()


def test_a_model_is_downloaded_once_and_found_offline(models: Command, hub: Hub, files: dict[str, bytes]) -> None:
    pulled = models("pull", "church")
    assert pulled.returncode == 0, pulled.stderr
    folder = Path(pulled.stdout.decode().strip())
    assert (folder / WEIGHTS).read_bytes() == files[WEIGHTS]
    assert len(hub.gets(WEIGHTS)) == 1

    hub.requests.clear()
    info = models("info", "church", "--json")
    assert info.returncode == 0, info.stderr
    facts = json.loads(info.stdout)
    assert facts["model"] == "church"
    assert facts["sigma"] == "0.01 to 380"
    assert "123" in facts["assumed"]  # of the scheduler's file
    assert facts["checksum"] == hashlib.sha256(files[WEIGHTS]).hexdigest()
    assert hub.gets(WEIGHTS) == []

    hub.requests.clear()
    for offline in (models("info", "church", "--offline"), models("info", "church", HF_HUB_OFFLINE="1")):
        assert offline.returncode == 0, offline.stderr
    assert hub.requests == []
    # Without network, and without having been told so, what is here is used.
    assert models("info", "church", HF_ENDPOINT="http://127.0.0.1:9").returncode == 0
    listed = [json.loads(line) for line in models("list", "--json", HF_HUB_OFFLINE="1").stdout.splitlines()]
    assert {row["name"]: row["here"] for row in listed}["church"] == "downloaded"
    assert {row["name"]: row["here"] for row in listed}["bedroom"] == "no"


def test_a_repository_may_hold_our_own_file(models: Command, hub: Hub, tiny_checkpoint: Path) -> None:
    hub.files = {"model.safetensors": tiny_checkpoint.read_bytes()}
    info = models("info", "hf:someone/model", "--json")
    assert info.returncode == 0, info.stderr
    facts = json.loads(info.stdout)
    assert (facts["model"], facts["native size"]) == ("tiny", "16 px")
    assert facts["checksum"] == hashlib.sha256(tiny_checkpoint.read_bytes()).hexdigest()


def test_a_cut_connection_is_resumed(models: Command, hub: Hub, files: dict[str, bytes]) -> None:
    hub.cut_once_at = 15_000_000  # the client writes 10 MB at a time
    pulled = models("pull", f"hf:{CHURCH}@v2")
    assert pulled.returncode == 0, pulled.stderr
    assert (Path(pulled.stdout.decode().strip()) / WEIGHTS).read_bytes() == files[WEIGHTS]
    first, second = hub.gets(WEIGHTS)
    assert first == ""
    assert second.startswith("bytes=")
    assert 0 < int(second.removeprefix("bytes=").rstrip("-")) <= 15_000_000
    assert any("/resolve/v2/" in path for _, path, _ in hub.requests)
    assert not any("/resolve/main/" in path for _, path, _ in hub.requests)


def test_a_damaged_download_is_thrown_away(models: Command, hub: Hub, tmp_path: Path) -> None:
    hub.corrupt = True
    assert "checksum" in said(models("pull", "church", "--quiet"))
    assert not [path for path in (tmp_path / "cache").rglob("blobs/*") if path.stat().st_size > 100_000]
    hub.corrupt = False
    again = models("pull", "church")
    assert again.returncode == 0, again.stderr


def test_content_kept_in_a_store_with_other_names_passes(tmp_path: Path) -> None:
    sha256, stored = hashlib.sha256(b"weights").hexdigest(), "f" * 64
    store, blobs, snapshot = tmp_path / "blobs", tmp_path / "model" / "blobs", tmp_path / "model" / "snapshots" / COMMIT
    for folder in (store, blobs, snapshot):
        folder.mkdir(parents=True)
    (store / stored).write_bytes(b"weights")
    (blobs / sha256).symlink_to(store / stored)
    (snapshot / "a.bin").symlink_to(Path("../../blobs") / sha256)
    verify_download(snapshot / "a.bin", sha256)
    with pytest.raises(SdeditError, match="checksum"):
        verify_download(snapshot / "a.bin", "0" * 64)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_answer_of_no(models: Command, hub: Hub, files: dict[str, bytes]) -> None:
    assert "no someone/other on the hub" in said(models("pull", "hf:someone/other"))
    assert "no revision v9" in said(models("pull", "hf:someone/model@v9"))
    hub.files = {"README.md": b"words"}
    assert "no model that sdedit reads" in said(models("pull", "hf:someone/model"))
    hub.status = 401
    assert "auth login" in said(models("pull", "hf:someone/model"))
    hub.status, hub.error_code = 403, "GatedRepo"
    assert "owners admit" in said(models("pull", "hf:someone/model"))


def test_a_network_that_is_down_is_told_in_two_seconds(models: Command) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as silent:
        # One that is full lets everybody wait, as a network does that swallows all.
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(silent.getsockname())
        for address in ("http://127.0.0.1:9", f"http://127.0.0.1:{silent.getsockname()[1]}", "http://no.invalid"):
            began = time.monotonic()
            assert "check the network" in said(models("pull", "church", HF_ENDPOINT=address))
            assert time.monotonic() - began < 8  # the rest is imports, on a busy machine
        for each in waiting:
            each.close()


def test_without_network(models: Command) -> None:
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    assert "check the network" in said(models("pull", "church", **nowhere))
    assert "not been downloaded" in said(models("info", "church", "--offline"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("chruch", "did you mean church?"),
        ("hf:nonsense", "hf:owner/name"),
        ("hf:../../etc/passwd", "hf:owner/name"),
        ("cifar10", "github.com/yang-song"),
    ],
)
def test_names_that_lead_nowhere(models: Command, hub: Hub, name: str, words: str) -> None:
    assert words in said(models("info", name))
    assert hub.requests == []


def test_one_file_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sdedit.checkpoints.hub import _model_files, find_model

    asked: list[tuple] = []

    def download(*arguments: object) -> Path:
        asked.append(arguments)
        return tmp_path

    monkeypatch.setattr("sdedit.checkpoints.hub._download", download)
    find_model("hf:deepinv/diffunet/diffusion_ffhq_10m.pt")
    find_model("hf:deepinv/diffunet/a/b.pt@v2")
    find_model("hf:deepinv/diffunet@v2")
    assert [(call[0], call[1], call[4]) for call in asked] == [
        ("deepinv/diffunet", None, "diffusion_ffhq_10m.pt"),
        ("deepinv/diffunet", "v2", "a/b.pt"),
        ("deepinv/diffunet", "v2", None),
    ]
    for wrong in ("hf:deepinv/diffunet/../x.pt", "hf:deepinv/diffunet/.hidden", "hf:deepinv/diffunet//x.pt"):
        with pytest.raises(SdeditError, match="hf:owner/name/file"):
            find_model(wrong)
    fetched: list[str] = []

    def fetch(name: str) -> Path | None:
        fetched.append(name)
        return tmp_path / name if name.startswith("unet/") else None

    assert _model_files(fetch) == tmp_path
    assert "model_index.json" in fetched

"""Models by name against a server on this machine that answers as the hub does, with the real client library."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import fails_in_one_sentence
from published_files import random_unet, unet_options

from sdedit import SdeditError
from sdedit.checkpoints.hub import verify_download

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CHURCH = "google/ncsnpp-church-256"
WEIGHTS = "diffusion_pytorch_model.safetensors"
Command = Callable[..., subprocess.CompletedProcess]


@dataclass
class Hub:
    """The files of one repository, what goes wrong, and the requests that came."""

    files: dict[str, bytes]
    address: str = ""
    storage: str = ""  # address of the server that weights are redirected to
    cut_once_at: int = 0  # bytes of the weights after which the connection breaks, the first time
    corrupt: bool = False
    status: int = 0  # answered to everything
    error_code: str = ""
    requests: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, range

    def gets(self, name: str) -> list[str]:
        """The ranges with which the content of a file was asked for in storage."""
        return [span for method, path, span in self.requests if method == "GET" and path == f"/cdn/{name}"]


def handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """`/OWNER/NAME/resolve/REVISION/FILE`: small files at once, weights by way of `/cdn/`."""

        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer("HEAD")

        def do_GET(self) -> None:
            self.answer("GET")

        def answer(self, method: str) -> None:
            hub.requests.append((method, self.path, self.headers.get("Range", "")))
            if hub.status:
                self.reply(hub.status, {"X-Error-Code": hub.error_code} if hub.error_code else {})
            elif self.path.startswith("/cdn/"):
                self.send(method, hub.files[self.path.removeprefix("/cdn/")], '"of the cdn"')
            else:
                self.resolve(method)

        def resolve(self, method: str) -> None:
            repository, _, rest = self.path.lstrip("/").partition("/resolve/")
            revision, _, name = rest.partition("/")
            if repository not in (CHURCH, "someone/model"):
                self.reply(404, {"X-Error-Code": "RepoNotFound"})
            elif revision not in ("main", "v2", COMMIT):
                self.reply(404, {"X-Error-Code": "RevisionNotFound"})
            elif name not in hub.files:
                self.reply(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            elif name == WEIGHTS:
                content = hub.files[name]
                sha256 = hashlib.sha256(content).hexdigest()
                location = f"{hub.storage}/cdn/{name}"
                linked = {"X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(len(content))}
                self.reply(302, {"Location": location, "X-Repo-Commit": COMMIT, "ETag": f'"{sha256}"', **linked})
            else:
                self.send(method, hub.files[name], f'"{hashlib.sha1(hub.files[name]).hexdigest()}"')

        def send(self, method: str, content: bytes, etag: str) -> None:
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
            part = content[start:]
            if hub.corrupt and self.path.startswith("/cdn/"):
                part = part[:-1] + bytes([part[-1] ^ 1])
            headers = {"ETag": etag, "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            cut = hub.cut_once_at if method == "GET" and self.path.startswith("/cdn/") else 0
            self.reply(206 if start else 200, headers, part, method == "HEAD", cut)
            if cut:
                hub.cut_once_at = 0
                self.close_connection = True

        def reply(
            self, status: int, headers: dict[str, str], content: bytes = b"", head: bool = False, cut: int = 0
        ) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if not head:
                self.wfile.write(content[:cut] if cut else content)

    return Handler


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("unet")
    random_unet(unet_options((32, 128, 256), 1, 1, 32)).save_pretrained(folder)
    (folder / "scheduler_config.json").write_text(json.dumps({"sigma_min": 0.01, "sigma_max": 123.0}))
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def hub(files: dict[str, bytes]) -> Iterator[Hub]:
    # Two servers, as the hub keeps large files elsewhere and the client trusts its own host more.
    hub = Hub(files)
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler(hub)) for _ in range(2)]
    hub.address, hub.storage = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    yield hub
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def models(sdedit: Command, hub: Hub, tmp_path: Path) -> Command:
    """`sdedit models …` with the server as the hub and a cache of its own."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
        place = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "cache")}
        quiet = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_ETAG_TIMEOUT": "3", "HF_TOKEN": "", "NO_PROXY": "127.0.0.1"}
        return sdedit("models", *arguments, env={**quiet, **place, **environment})

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

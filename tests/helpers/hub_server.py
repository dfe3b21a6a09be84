"""A server on this machine that answers as the hub does."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CHURCH = "google/ncsnpp-church-256"
WEIGHTS = "diffusion_pytorch_model.safetensors"


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


@contextmanager
def serve(files: dict[str, bytes]) -> Iterator[Hub]:
    """A hub with these files in one repository, for the time of the block."""
    # Two servers, as the hub keeps large files elsewhere and the client trusts its own host more.
    hub = Hub(files)
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler(hub)) for _ in range(2)]
    hub.address, hub.storage = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()

"""Where a model is: in the package, in a file or folder, or on the Hugging Face hub, downloaded once into its cache.

Downloads are huggingface_hub's: resumed where a connection breaks, kept in its usual cache (`HF_HOME`), and found there
again without network. What arrived is compared with the checksum under which the hub published it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sdedit.checkpoints.formats.diffusers.folder import INDEX, WEIGHTS, index_parts, read_json
from sdedit.checkpoints.models import FOLDER
from sdedit.checkpoints.network import answers
from sdedit.checkpoints.registry import PublishedModel, published_models
from sdedit.errors import SdeditError
from sdedit.io.files import exists, reason

HUB = "hf:"
_PLACE = re.compile(r"hf:(?P<repository>[\w.-]+/[\w.-]+)(/(?P<file>[\w./-]+))?(@(?P<revision>[\w./-]+))?")
_OWN_FILE = "model.safetensors"  # what training writes; a repository may hold just this

# Fetches a file of a repository and says where it is; None if the repository has no such file.
Fetch = Callable[[str], Path | None]


@dataclass(frozen=True)
class ModelFile:
    """A model's file or folder, and the published model it was asked for as, if it was asked for by name."""

    path: Path
    published: PublishedModel | None = None


def built_in_models() -> dict[str, Path]:
    """Names and files of the models that come with the package."""
    return {file.stem: file for file in sorted(FOLDER.glob("*.safetensors"))}


def find_model(name: str, offline: bool = False, show_progress: bool = False) -> ModelFile:
    """Find a model by name, hub place or path, and download it if it is not here yet.

    A name is taken before a path: write ./church for a folder of that name.

    Raises:
        SdeditError: if there is none, or it cannot be downloaded.
    """
    built_in = built_in_models()
    if name in built_in:
        return ModelFile(built_in[name])
    published = published_models()
    if model := published.get(name):
        if not model.hub:
            raise SdeditError(
                f"{name} cannot be downloaded by name; get it from {model.page} and name the file instead"
            )
        return ModelFile(_download(model.hub, None, offline, show_progress), model)
    if match := _PLACE.fullmatch(name):
        repository = match["repository"]
        known = next((model for model in published.values() if model.hub == repository), None)
        file = match["file"]
        if file and not all(re.fullmatch(r"[\w-][\w.-]*", part) for part in file.split("/")):
            raise SdeditError(f"{name} names no file of a repository; write hf:owner/name/file")
        return ModelFile(
            _download(repository, match["revision"], offline, show_progress, file), None if file else known
        )
    if name.startswith(HUB):
        raise SdeditError(
            f"{name} is no place on the hub; write hf:owner/name, hf:owner/name/file or hf:owner/name@revision"
        )
    path = Path(name)
    if exists(path):
        return ModelFile(path)
    close = difflib.get_close_matches(name, [*built_in, *published], n=1)
    hint = f"did you mean {close[0]}?" if close else "sdedit models list shows the names"
    raise SdeditError(f"there is no model, file or folder {name}; {hint}")


def is_downloaded(model: PublishedModel) -> bool:
    """Whether a published model can be loaded without network."""
    if not model.hub:
        return False
    try:
        _download(model.hub, None, offline=True, show_progress=False)
    except SdeditError:
        return False
    return True


def verify_download(file: Path, sha256: str) -> None:
    """Compare a file in the hub's cache with the checksum it is kept under there; other files pass.

    Raises:
        SdeditError: if they differ; the file is removed, so that the next download is a new one.
    """
    if not file.is_symlink():
        return
    # One link only: the hub's own name for the content may itself be a link, into a store that names it otherwise.
    # Large files are named by their SHA-256, small ones by a shorter git hash.
    blob = file.parent / file.readlink()
    if blob.parent.name != "blobs" or not re.fullmatch(r"[0-9a-f]{64}", blob.name) or blob.name == sha256:
        return
    for path in (file.resolve(), blob, file):
        path.unlink(missing_ok=True)
    raise SdeditError(f"the download of {file.name} was damaged on its way (its checksum is wrong); download it again")


def _download(
    repository: str, revision: str | None, offline: bool, show_progress: bool, file: str | None = None
) -> Path:
    """The folder of a model on the hub, or the one file that is asked for, in the cache.

    Raises:
        SdeditError: saying why it cannot be had.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import logging

    if constants.HF_HUB_CACHE.startswith("~"):
        raise SdeditError("nothing says where the home folder is, in which models are kept; set HF_HOME to a folder")
    offline = offline or bool(constants.HF_HUB_OFFLINE)
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # every retry is a warning there; what comes of them is said here, once
    files = _model_files if file is None else lambda fetch: fetch(file)
    try:
        if not offline and not answers(constants.ENDPOINT):
            raise _NoConnectionError
        found = files(_fetcher(repository, revision, offline, show_progress))
    except _NoConnectionError as error:
        try:
            found = files(_fetcher(repository, revision, True, show_progress))
        except _NoConnectionError:
            found = None
        if found is None:
            raise SdeditError(
                f"cannot reach {constants.ENDPOINT} to download {repository}; check the network and try again"
            ) from error
    finally:
        logging.set_verbosity(verbosity)
    if found is None and offline:
        raise SdeditError(f"{repository} has not been downloaded yet, and offline nothing can be; pull it when online")
    if found is None:
        what = f"has no file {file}" if file else "holds no model that sdedit reads"
        raise SdeditError(f"{repository} on the hub {what}")
    return found


def _model_files(fetch: Fetch) -> Path | None:
    """Fetch the files of a diffusers model, flat or in unet/, or of a model of the project's own."""
    for prefix, scheduler in (("", "scheduler_config.json"), ("unet/", "scheduler/scheduler_config.json")):
        configuration = fetch(prefix + "config.json")
        if configuration is None:
            continue
        for name in WEIGHTS:
            if fetch(prefix + name) is not None:
                break
            index = fetch(prefix + name + INDEX)
            if index is not None:
                listed = [fetch(prefix + part) for part in index_parts(index, read_json(index) or {})]
                if None in listed:
                    return None
                break
        else:
            return None
        fetch(scheduler)
        if prefix:
            fetch("model_index.json")  # which says whether the network is a latent one
        return configuration.parent.parent if prefix else configuration.parent
    return fetch(_OWN_FILE)


class _NoConnectionError(Exception):
    """The hub did not answer."""


def _fetcher(repository: str, revision: str | None, offline: bool, show_progress: bool) -> Fetch:
    from huggingface_hub import errors, hf_hub_download
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[misc]
        """A bar that is drawn on a terminal only, or never."""

        def __init__(self, *args: object, **options: object) -> None:
            options.pop("name", None)
            super().__init__(*args, **{**options, "disable": None if show_progress else True})

    pinned = revision

    def fetch(name: str) -> Path | None:
        nonlocal pinned
        try:
            path = Path(hf_hub_download(repository, name, revision=pinned, local_files_only=offline, tqdm_class=Bar))
        except errors.GatedRepoError as error:
            raise SdeditError(
                f"{repository} is open only to those whom its owners admit; ask on its page, then run hf auth login"
            ) from error
        except errors.RepositoryNotFoundError as error:
            raise SdeditError(
                f"there is no {repository} on the hub, or it is private; check the name, or run hf auth login"
            ) from error
        except errors.RevisionNotFoundError as error:
            raise SdeditError(f"{repository} has no revision {revision}; check its page on the hub") from error
        except errors.LocalEntryNotFoundError as error:
            if offline:
                return None
            raise _NoConnectionError from error
        except errors.EntryNotFoundError:
            return None
        except errors.HfHubHTTPError as error:
            status = error.response.status_code
            if status in (401, 403):
                raise SdeditError(
                    f"the hub does not let you read {repository} (answer {status}); run hf auth login"
                ) from error
            raise SdeditError(f"the hub failed on {repository} (answer {status}); try again later") from error
        except errors.HFValidationError as error:
            raise SdeditError(f"{repository} is no repository on the hub; name it as hf:owner/name") from error
        except errors.HTTPError as error:  # type: ignore[attr-defined]  # it broke, and could not be taken up again
            raise _NoConnectionError from error
        except OSError as error:
            raise SdeditError(f"cannot keep {name} of {repository}: {reason(error)}") from error
        # The first file decides the commit, so that all files are of one.
        pinned = path.relative_to(_snapshots(path)).parts[0]
        return path

    return fetch


def _snapshots(path: Path) -> Path:
    return next(parent for parent in path.parents if parent.name == "snapshots")

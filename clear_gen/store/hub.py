"""Publishing a folder on the Hugging Face Hub: upload changed files, then verify the Hub's listing against the folder.

The transport is huggingface_hub's: it finds the endpoint and the token (``HF_TOKEN``, the stored login), retries
transient errors, and skips files the Hub already has, so that repeating the command resumes an interrupted upload. Only
this module needs the extra ``hub``.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from fnmatch import fnmatch
from glob import escape
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import httpx2
from huggingface_hub import HfApi, constants, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import disable_progress_bars, validate_repo_id

from clear_gen.core.errors import CheckFailed, InputError, first_line
from clear_gen.core.progress import busy, is_shown
from clear_gen.core.text import shown
from clear_gen.store.manifest import GENERATOR
from clear_gen.store.shipment import Shipment, listing

PATIENCE_S = 10.0  # how long steps are retried whose requests the library does not retry itself
PASSING = (408, 429, 500, 502, 503, 504)  # transient status codes
MAIN = "main"
OF_THE_HUB = ".gitattributes"  # created by the Hub with the repository
Listed = Mapping[str, RepoFile]
Result = TypeVar("Result")
log = logging.getLogger(__name__)


def check_repo(repo: str) -> None:
    """Raise InputError unless ``repo`` is USER/NAME as the Hub has it."""
    try:
        validate_repo_id(repo)
    except HFValidationError:
        is_valid = False
    else:
        is_valid = repo.count("/") == 1
    if not is_valid:
        raise InputError(f"--repo: found {shown(repo)}, expected USER/NAME of letters, digits, '-', '_' and '.'")


def publish(shipment: Shipment, repo: str, private: bool, revision: str | None) -> str:
    """Upload a shipment to a branch of a repository (main if None), created if missing; returns a summary.

    Raises InputError if the Hub rejects the token or a repository requested as private is public, CheckFailed if the
    Hub cannot be reached, fails, or finally does not list the files of the folder.
    """
    token = get_token()
    if token is None or not token.isascii():
        what = "none" if token is None else "characters that no token has"
        raise InputError(f"token: found {what}; run hf auth login, or set HF_TOKEN to one that may write")
    has_bars = sys.stderr.isatty() and is_shown()
    if not has_bars:
        disable_progress_bars()
    remote = _Remote(HfApi(), repo, shipment.kind, revision or MAIN)
    url = remote.create(private)
    before = remote.listed()
    changed = [name for name in shipment.hashes if _difference(shipment, name, before.get(name))]
    outdated = list(_outdated(shipment, before))
    if changed or outdated:
        with nullcontext() if has_bars else busy(f"uploading {len(changed):,} files"):
            remote.upload(shipment.folder, changed, outdated)
    listed = remote.listed() if changed or outdated else before
    differences = [
        f"{name}: {found}" for name in shipment.hashes if (found := _difference(shipment, name, listed.get(name)))
    ]
    differences += [f"{name}: found it on the Hub, expected none" for name in _outdated(shipment, listed)]
    if differences:
        more = f" (and {len(differences) - 1:,} more)" if differences[1:] else ""
        raise CheckFailed(f"{repo}: {differences[0]}{more}; run the same command again")
    size = sum(shipment.sizes.values()) / 1e6
    counts = f"{len(listed.keys() & shipment.hashes):,} files, {size:,.1f} MB, all verified"
    lines = [f"{url}: {counts}; {len(changed):,} uploaded, {len(outdated):,} removed"]
    if others := sorted(listed.keys() - shipment.hashes.keys() - {OF_THE_HUB}):
        lines.append(f"also there: {listing(others)}")
    return "\n".join(lines)


@dataclass(frozen=True)
class _Remote:
    """A branch of a repository on the Hub."""

    api: HfApi
    repo: str
    kind: str
    branch: str

    def create(self, private: bool) -> str:
        """Create repository and branch if missing; returns the URL."""
        made = self._step(
            lambda: self.api.create_repo(self.repo, repo_type=self.kind, private=private or None, exist_ok=True)
        )
        if private and not self._step(lambda: self.api.repo_info(self.repo, repo_type=self.kind)).private:
            raise InputError(f"--private: found {self.repo} public, expected private; make it so in its settings first")
        if self.branch == MAIN:
            return str(made)
        if not self.branch.startswith("refs/"):  # such as a pull request, which is there
            self._step(
                lambda: self.api.create_branch(self.repo, repo_type=self.kind, branch=self.branch, exist_ok=True)
            )
        return f"{made}/tree/{quote(self.branch, safe='')}"

    def listed(self) -> Listed:
        """The files on the Hub, by name."""
        tree = self._step(
            lambda: list(self.api.list_repo_tree(self.repo, repo_type=self.kind, revision=self.branch, recursive=True))
        )
        return {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}

    def upload(self, folder: Path, names: Iterable[str], outdated: Iterable[str]) -> None:
        """Upload files of a folder and delete others, in one commit unless there are very many."""
        self._step(
            lambda: self.api.upload_folder(
                repo_id=self.repo,
                repo_type=self.kind,
                revision=self.branch,
                folder_path=folder,
                allow_patterns=[escape(name) for name in names],
                delete_patterns=[escape(name) for name in outdated] or None,
                commit_message=f"Published by {GENERATOR}",
            )
        )

    def _step(self, step: Callable[[], Result]) -> Result:
        """Run ``step``, retrying transient errors for a limited time; raises InputError or CheckFailed otherwise."""
        began, wait_s = time.monotonic(), 1.0
        while True:
            try:
                return step()
            except Exception as error:  # its own, or one of httpx2 or of hf_xet
                problem, may_pass = self._problem(error)
                if not may_pass:
                    raise problem from None
                if time.monotonic() - began > PATIENCE_S:
                    raise CheckFailed(f"{problem}; run the same command again to go on") from None
                log.warning("%s; trying again in %g s", problem, wait_s)
            time.sleep(wait_s)
            wait_s *= 2

    def _problem(self, error: Exception) -> tuple[InputError | CheckFailed, bool]:
        """Describe an error in one line, and say whether it is transient."""
        at, cause = f"{self.repo}: {_without_secrets(constants.ENDPOINT)}", _cause(error)
        if not isinstance(cause, HfHubHTTPError):
            may_pass = isinstance(cause, httpx2.TransportError | json.JSONDecodeError)  # the latter: a page, no answer
            said = first_line(error) if cause is error else f"{first_line(error)} {first_line(cause)}"
            return CheckFailed(f"{at}: {_without_secrets(said)}"), may_pass
        status = cause.response.status_code
        said = shown(_without_secrets(cause.server_message or cause.response.reason_phrase))
        if status in (401, 403):
            login = "run hf auth login, or set HF_TOKEN to one that may write there"
            return InputError(f"{at} does not accept the token ({status}, {said}); {login}"), False
        return CheckFailed(f"{at} answered {status} ({said})"), status in PASSING


def _without_secrets(text: str) -> str:
    """Redact the token, and the password of an endpoint URL, from a text."""
    for secret in (get_token(), *re.findall("//(.*)@", constants.ENDPOINT)):
        text = text.replace(secret, "...") if secret else text
    return text


def _cause(error: BaseException) -> BaseException:
    """The underlying network or Hub error, which the library may have wrapped in its own."""
    at: BaseException | None = error
    while at is not None and not isinstance(at, HfHubHTTPError | httpx2.TransportError):
        at = at.__cause__
    return at or error


def _outdated(shipment: Shipment, listed: Listed) -> Iterator[str]:
    for name in listed:
        if name not in shipment.hashes and any(fnmatch(name, pattern) for pattern in shipment.owned):
            yield name


def _difference(shipment: Shipment, name: str, remote: RepoFile | None) -> str | None:
    """How a file on the Hub differs from the one in the folder, in words; None if it does not."""
    if remote is None:
        return "missing on the Hub"
    path = shipment.folder / name
    if remote.size != (size := path.stat().st_size):
        return f"found {remote.size:,} bytes on the Hub, expected {size:,}"
    if remote.lfs is not None:
        kind, found, expected = "SHA-256", remote.lfs.sha256, shipment.hashes[name]
    else:  # a small file, which git itself keeps
        data = path.read_bytes()
        kind, found = "git blob", remote.blob_id
        expected = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    return None if found == expected else f"found {kind} {shown(str(found))} on the Hub, expected {expected}"

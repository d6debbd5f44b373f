"""A Hugging Face Hub on the loopback interface: repositories, branches, commits, LFS; it misbehaves as it is told.

Endpoints and their forms are those that ``huggingface_hub`` and ``datasets`` ask for with HF_HUB_DISABLE_XET=1.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_loopbackTOKENnobodyMayEverSee"
LFS = re.compile(r".*\.(parquet|safetensors)")
PAGE = 5  # entries of a listing, so that every test turns pages


@dataclass
class Fault:
    """What goes wrong with the first ``times`` requests whose "METHOD path" matches ``at``.

    ``status``: answered instead. ``cut``: the connection is closed when half of the body was read. ``stall``: half of
    the body is read, ``reached`` is set, and nothing more happens until the client is gone.
    """

    at: str
    times: int = 1
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"error": "so it was told"}'
    cut: bool = False
    stall: bool = False
    reached: threading.Event = field(default_factory=threading.Event)


@dataclass
class Repo:
    """``commits``: the content of every file by path, by commit; ``branches``: the commit of each."""

    private: bool
    commits: dict[str, dict[str, bytes]]
    branches: dict[str, str]

    def files(self, revision: str) -> dict[str, bytes] | None:
        return self.commits.get(self.branches.get(revision, revision))


class Hub:
    """The server's side. ``log``: "METHOD path" of every request; ``lies``: what listings say otherwise, by path."""

    def __init__(self) -> None:
        self.url = ""
        self.repos: dict[str, Repo] = {}  # "datasets/me/data" or "models/me/run"
        self.blobs: dict[str, bytes] = {}
        self.log: list[str] = []
        self.uploaded: list[str] = []  # SHA-256 of blobs that came whole
        self.committed: list[list[str]] = []  # what each commit did, such as "lfsFile bank/train.parquet"
        self.faults: list[Fault] = []
        self.lies: dict[str, dict[str, Any]] = {}
        self.leaked: list[str] = []  # requests to the store of blobs that carried a token
        self.errors: list[BaseException] = []
        self.lock = threading.Lock()

    def counted(self) -> Counter[str]:
        """Requests of each kind."""
        return Counter(re.sub(r"[0-9a-f]{40,}|/(datasets|models)/[^/]+/[^/.]+", "…", line) for line in self.log)

    def fault(self, line: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times and re.search(fault.at, line):
                    fault.times -= 1
                    return fault
        return None


def git_blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def serving() -> Iterator[Hub]:
    """A Hub for the time of a ``with``; raises what its threads raised."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("_Bound", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert not hub.errors, hub.errors
    assert not hub.leaked, hub.leaked


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_HEAD = do_GET

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        self.route, self.query = unquote(parts.path), parse_qs(parts.query)
        line = f"{self.command} {self.route}"
        self.hub.log.append(line)
        try:
            body = self._body(self.hub.fault(line))
            if body is not None:
                with self.hub.lock:
                    self._answer(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        except BaseException as error:
            self.hub.errors.append(error)
            raise

    def _body(self, fault: Fault | None) -> bytes | None:
        """The body of the request; None if it was told that something goes wrong."""
        size = int(self.headers.get("Content-Length") or 0)
        if fault is None:
            return self.rfile.read(size)
        if fault.cut or fault.stall:
            self.rfile.read(size // 2)
            self.close_connection = True
            fault.reached.set()
            if fault.stall:
                self.rfile.read()  # until the other end is gone
            return None
        self.rfile.read(size)
        self._send(fault.status, fault.body, {"Content-Type": "application/json", **fault.headers})
        return None

    # --- answers ------------------------------------------------------------------------------------------------------

    def _send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        headers = {"Content-Length": str(len(body)), **(headers or {})}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _json(self, value: Any, status: int = 200, **headers: str) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})

    def _refuse(self, status: int, code: str, why: str) -> None:
        self._send(status, json.dumps({"error": why}).encode(), {"X-Error-Code": code, "X-Error-Message": why})

    def _answer(self, body: bytes) -> None:
        if self.route.startswith("/lfs/"):
            self._store(body)
            return
        may_write = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if "Authorization" in self.headers and not may_write:
            self._refuse(401, "", "Invalid credentials in Authorization header")
        elif self.route == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif self.route == "/api/repos/create":
            self._create(json.loads(body)) if may_write else self._refuse(401, "", "Invalid username or password.")
        elif found := re.fullmatch(r"/(?:(datasets)/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch", self.route):
            self._batch(json.loads(body)) if may_write else self._refuse(401, "", f"no token for {found[2]}")
        elif found := re.fullmatch(r"/(?:(datasets)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.route):
            self._in_repo(f"{found[1] or 'models'}/{found[2]}", "resolve", f"{found[3]}/{found[4]}", body, may_write)
        elif found := re.fullmatch(r"/api/((?:datasets|models)/[^/]+/[^/]+)(?:/([a-z-]+)/?(.*))?", self.route):
            self._in_repo(found[1], found[2] or "revision", found[3] or "main", body, may_write)
        else:
            self._refuse(404, "", "no such endpoint")

    def _store(self, body: bytes) -> None:
        oid = self.route.removeprefix("/lfs/")
        if "Authorization" in self.headers:
            self.hub.leaked.append(self.route)
        if sha256(body) != oid:
            self._refuse(400, "", "other bytes than announced")
            return
        self.hub.blobs[oid] = body
        self.hub.uploaded.append(oid)
        self._send(200)

    def _create(self, asked: dict[str, Any]) -> None:
        path = f"{asked.get('type') or 'model'}s/{asked['organization']}/{asked['name']}"
        url = f"{self.hub.url}/{path.removeprefix('models/')}"
        if path in self.hub.repos:
            self._json({"error": "You already created this repo", "url": url}, 409)
            return
        first = {".gitattributes": b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"}
        self.hub.repos[path] = Repo(asked.get("visibility") == "private", {"0" * 40: first}, {"main": "0" * 40})
        self._json({"url": url, "id": path, "name": asked["name"]})

    def _batch(self, asked: dict[str, Any]) -> None:
        objects = []
        for one in asked["objects"]:
            there = one["oid"] in self.hub.blobs
            upload = {"upload": {"href": f"{self.hub.url}/lfs/{one['oid']}"}}
            objects.append({**one, **({} if there else {"actions": upload})})
        self._json({"transfer": "basic", "objects": objects})

    def _in_repo(self, path: str, verb: str, rest: str, body: bytes, may_write: bool) -> None:
        repo = self.hub.repos.get(path)
        if repo is None or (repo.private and not may_write):
            self._refuse(401, "RepoNotFound", "Repository not found")
        elif verb in ("preupload", "commit", "branch") and not may_write:
            self._refuse(403, "", "You may not write here")
        elif verb == "branch":
            is_new = rest not in repo.branches
            repo.branches.setdefault(rest, repo.branches["main"])
            self._json({}, 200 if is_new else 409)
        elif verb == "refs":
            branches = [
                {"name": name, "ref": f"refs/heads/{name}", "targetCommit": oid} for name, oid in repo.branches.items()
            ]
            self._json({"branches": branches, "tags": [], "converts": []})
        elif (files := repo.files(rest.split("/")[0])) is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {rest}")
        else:
            getattr(self, f"_{verb.replace('-', '_')}")(path, repo, files, rest, body)

    # --- in a repository: the name of the endpoint, what it is asked for ----------------------------------------------

    def _revision(self, path: str, repo: Repo, files: dict[str, bytes], rest: str, body: bytes) -> None:
        repo_id = path.partition("/")[2]
        siblings = [{"rfilename": name} for name in files]
        sha = repo.branches.get(rest, rest)
        about = {
            "id": repo_id,
            "author": repo_id.split("/")[0],
            "sha": sha,
            "private": repo.private,
            "siblings": siblings,
        }
        self._json({**about, "tags": [], "downloads": 0, "likes": 0, "disabled": False, "gated": False})

    def _entry(self, name: str, data: bytes) -> dict[str, Any]:
        entry: dict[str, Any] = {"type": "file", "path": name, "size": len(data), "oid": git_blob(data)}
        lie = self.hub.lies.get(name, {})
        if LFS.fullmatch(name):
            entry["lfs"] = {"oid": lie.get("sha256", sha256(data)), "size": len(data), "pointerSize": 134}
        return {**entry, **{key: value for key, value in lie.items() if key != "sha256"}}

    def _tree(self, path: str, repo: Repo, files: dict[str, bytes], rest: str, body: bytes) -> None:
        under = rest.partition("/")[2]
        inside = {name: data for name, data in files.items() if not under or name.startswith(f"{under}/")}
        if under and not inside:
            self._refuse(404, "EntryNotFound", f"{under} does not exist")
            return
        folders = {
            name[:end] for name in inside for end in (hit.start() for hit in re.finditer("/", name)) if end > len(under)
        }
        entries = [{"type": "directory", "path": name, "size": 0, "oid": "0" * 40} for name in sorted(folders)]
        entries += [self._entry(name, data) for name, data in sorted(inside.items())]
        if self.query.get("recursive", ["false"])[0].lower() != "true":
            depth = under.count("/") + 1 if under else 0
            entries = [entry for entry in entries if entry["path"].count("/") == depth]
        start = int(self.query.get("cursor", ["0"])[0])
        more = {}
        if start + PAGE < len(entries):
            query = "&".join(f"{key}={value[0]}" for key, value in self.query.items() if key != "cursor")
            url = f"{self.hub.url}{self.path.partition('?')[0]}?{query}&cursor={start + PAGE}"
            more["Link"] = f'<{url}>; rel="next"'
        self._json(entries[start : start + PAGE], **more)

    def _paths_info(self, path: str, repo: Repo, files: dict[str, bytes], rest: str, body: bytes) -> None:
        text = body.decode()
        asked = json.loads(text)["paths"] if text.startswith("{") else parse_qs(text)["paths"]
        found = [self._entry(name, files[name]) for name in asked if name in files]
        folders = [name for name in asked if any(other.startswith(f"{name}/") for other in files)]
        self._json([*found, *({"type": "directory", "path": name, "size": 0, "oid": "0" * 40} for name in folders)])

    def _preupload(self, path: str, repo: Repo, files: dict[str, bytes], rest: str, body: bytes) -> None:
        answers = []
        for one in json.loads(body)["files"]:
            is_lfs, data = LFS.fullmatch(one["path"]) is not None, files.get(one["path"])
            oid = None if data is None else sha256(data) if is_lfs else git_blob(data)
            mode = "lfs" if is_lfs else "regular"
            answers.append({"path": one["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        self._json({"files": answers})

    def _commit(self, path: str, repo: Repo, files: dict[str, bytes], rest: str, body: bytes) -> None:
        files, done = dict(files), []
        for line in body.splitlines():
            key, value = json.loads(line).values()
            if key == "header":
                continue
            done.append(f"{key} {value['path']}")
            if key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                files[value["path"]] = self.hub.blobs[value["oid"]]
            else:
                del files[value["path"]]
        oid = f"{len(repo.commits):040x}"
        repo.commits[oid], repo.branches[rest] = files, oid
        self.hub.committed.append(done)
        self._json({"success": True, "commitUrl": f"{self.hub.url}/{path}/commit/{oid}", "commitOid": oid})

    def _resolve(self, path: str, repo: Repo, files: dict[str, bytes], rest: str, body: bytes) -> None:
        revision, _, name = rest.partition("/")
        if name not in files:
            self._refuse(404, "EntryNotFound", f"{name} does not exist")
            return
        data = files[name]
        headers = {"X-Repo-Commit": repo.branches.get(revision, revision), "Accept-Ranges": "bytes"}
        etag = sha256(data) if LFS.fullmatch(name) else git_blob(data)
        headers |= {"ETag": f'"{etag}"', "X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(data))}
        if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""):
            start, end = int(asked[1]), min(int(asked[2] or len(data) - 1), len(data) - 1)
            self._send(206, data[start : end + 1], {**headers, "Content-Range": f"bytes {start}-{end}/{len(data)}"})
        else:
            self._send(200, data, headers)

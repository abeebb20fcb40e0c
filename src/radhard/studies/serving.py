"""Serves the report of a store while a campaign fills it: on loopback alone, read-only, without a build step."""

import errno
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from radhard.analysis.so_far import ReadSoFar
from radhard.campaign.results import results
from radhard.campaign.running_command import read_running
from radhard.campaign.store import Store
from radhard.errors import InputError, StoreError
from radhard.report.page.document import document, plotly_script, section_text
from radhard.report.page.page import kept_in, page_of
from radhard.report.page.progress import progress_section

LOOPBACK = "127.0.0.1"
_LEAST, _SHARE = 1.0, 5.0
"""Seconds between two readings of the store at least, and how many times longer than a reading takes."""


class WatchedStore:
    """A store that is read again and again, not more often than it can bear; safe for several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read, self._lock = ReadSoFar(), threading.Lock()
        self._state: dict[str, object] = {}
        self._next = 0.0

    def state(self) -> dict[str, object]:
        """What is new: the section of what is done so far as HTML, the units, the digest of results, and when."""
        with self._lock:
            if time.monotonic() >= self._next:
                began = time.monotonic()
                with Store(self.path, mode="read") as store:
                    settings = self._read.read(store)
                    kept = [one.digest for one in results(store)]
                self._state = {
                    "html": section_text(progress_section(settings, running=read_running(self.path))),
                    "units": sum(one.units for one in settings),
                    "results": " ".join(kept),
                    "at": datetime.now(UTC).strftime("%H:%M:%S UTC"),
                }
                took = time.monotonic() - began
                self._next = time.monotonic() + max(_LEAST, _SHARE * took)
            return self._state

    def page(self) -> str:
        """The whole page as HTML."""
        with self._lock:
            with Store(self.path, mode="read") as store:
                settings = self._read.read(store)
            page = page_of(kept_in([self.path]), source=f"{self.path.name}, watched")
            return document(page, live=progress_section(settings, running=read_running(self.path)))


@contextmanager
def serving(path: Path, *, port: int = 0) -> Iterator[ThreadingHTTPServer]:
    """A server of the store's page on loopback, not yet running; `port` 0 is any that is free.

    InputError for a port that is in use, and without the extra `report`; StoreError for a file that is no store.
    """
    watched = WatchedStore(path)
    watched.state()  # what is wrong with the store is told before anybody asks
    script = plotly_script().encode()
    try:
        server = ThreadingHTTPServer((LOOPBACK, port), _handler(watched, script))
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        why = "in use" if error.errno == errno.EADDRINUSE else "not allowed"
        raise InputError(f"--port {port}: it is {why}; give another, or 0 for any that is free") from error
    server.daemon_threads = True
    try:
        yield server
    finally:
        server.server_close()


def _handler(watched: WatchedStore, script: bytes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers GET alone, of this machine alone."""

        server_version, sys_version = "radhard", ""

        def do_GET(self) -> None:
            """The page, its script, and what is new."""
            port = self.connection.getsockname()[1]
            if self.headers.get("Host") not in (f"{LOOPBACK}:{port}", f"localhost:{port}"):
                self._answer(403, "text/plain", b"this server answers to its loopback address alone\n")
                return  # a name of somebody else's that leads here, as in DNS rebinding
            try:
                if self.path == "/":
                    self._answer(200, "text/html", watched.page().encode())
                elif self.path == "/state":
                    self._answer(200, "application/json", json.dumps(watched.state()).encode())
                elif self.path == "/plotly.js":
                    self._answer(200, "text/javascript", script)
                else:
                    self._answer(404, "text/plain", b"there is no such page; / is the only one\n")
            except StoreError as error:
                body = json.dumps({"problem": str(error)}).encode()
                self._answer(503, "application/json", body)

        def _answer(self, code: int, kind: str, body: bytes) -> None:
            self.send_response(code)
            for name, value in {
                "Content-Type": f"{kind}; charset=utf-8",
                "Content-Length": str(len(body)),
                "Cache-Control": "max-age=86400" if kind == "text/javascript" else "no-store",
                "X-Content-Type-Options": "nosniff",
                "X-Frame-Options": "DENY",
                "Referrer-Policy": "no-referrer",
                "Cross-Origin-Resource-Policy": "same-origin",
            }.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the reader went away

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the library gives it
            """Say nothing of requests."""
            del format, args

    return Handler

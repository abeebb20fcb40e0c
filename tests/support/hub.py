"""A hub of models on loopback: repositories are folders, served as huggingface_hub asks for them."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def hub(root: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of a hub that serves `root`/OWNER/NAME/*, while within; and what was asked of it, in order."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            path = self.path.partition("?")[0]
            asked.append(f"{self.command} {path}")
            data, kind = self.found(path)
            if data is None:
                data, kind = b'{"error": "not found"}', "application/json"
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound" if "/resolve/" in path else "RepoNotFound")
            else:
                self.send_response(200)
                self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                self.wfile.write(data)

        def found(self, path: str) -> tuple[bytes | None, str]:
            parts = path.strip("/").split("/")
            if parts[:2] == ["api", "models"] and len(parts) >= 4:
                folder = root / parts[2] / parts[3]
                files = sorted(file.name for file in folder.glob("*"))
                if not files:
                    return None, ""
                if len(parts) > 4 and parts[4] == "tree":
                    tree = [
                        {"type": "file", "path": f, "size": (folder / f).stat().st_size, "oid": "0" * 40} for f in files
                    ]
                    return json.dumps(tree).encode(), "application/json"
                listed = {"id": f"{parts[2]}/{parts[3]}", "sha": COMMIT, "siblings": [{"rfilename": f} for f in files]}
                return json.dumps(listed).encode(), "application/json"
            if len(parts) == 5 and parts[2] == "resolve":
                file = root / parts[0] / parts[1] / parts[4]
                return (file.read_bytes() if file.is_file() else None), "application/octet-stream"
            return None, ""

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

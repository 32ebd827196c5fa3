"""A web server that fails on demand, for the tests of downloads."""

from __future__ import annotations

import gzip
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Server(ThreadingHTTPServer):
    """Files from memory, by path; `faults` are used up one a request, then all goes well."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content: dict[str, bytes] = {}
        self.faults: list[str] = []
        self.asked: list[tuple[str, str | None]] = []  # path, Range

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        path, wanted = self.path.lstrip("/"), self.headers.get("Range")
        self.server.asked.append((path, wanted))
        fault = self.server.faults.pop(0) if self.server.faults else ""
        body = self.server.content.get(path)
        if body is None or fault.isdecimal():
            self.send_error(int(fault) if fault else 404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if fault == "no range":
            start = 0
        elif wanted and start >= len(body):
            self.send_error(416)
            return
        rest = body[start:]
        if fault == "other bytes":
            rest = bytes(len(rest))
        self.send_response(206 if start else 200)
        if start:
            first = start + (100 if fault == "another range" else 0)
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        if fault == "packed":
            rest = gzip.compress(rest)
            self.send_header("Content-Encoding", "gzip")
        if fault != "no length":
            self.send_header("Content-Length", str(len(rest) + (7 if fault == "too long" else 0)))
        self.end_headers()
        if fault == "cut":
            rest = rest[: len(rest) // 2]
        for begin in range(0, len(rest), 4096):
            if fault == "slow":
                time.sleep(0.01)
            self.wfile.write(rest[begin : begin + 4096])


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }

"""A run watched in a browser while it goes on: the report page, updated by server-sent events.

Works with every backend: give a LiveView to `run(watch=...)`. It listens on the loopback interface
only, and answers only who knows its random token.
"""

import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self, final
from urllib.parse import parse_qs, urlsplit

from edgetwin.report.page import Page, contents, figures_of, page_html, sections_html
from edgetwin.report.run_sections import run_sections
from edgetwin.report.sections import Cell, KeyValue, Section
from hw_models.board import Board
from hw_models.trace import Reading, Trace

PERIOD_S: Final = 0.5
MOST_READINGS: Final = 3000
LOOPBACK: Final = "127.0.0.1"


@final
class LiveView:
    """A page that follows a run; call it with every reading, as `run(watch=view)` does.

    Watching costs the run an append: pages are made by the server's threads. As a context manager
    it serves until the end of the block, and tells open pages that the run has ended. With
    another host than the loopback the page can be seen from outside, by who has the token.
    """

    def __init__(
        self,
        board: Board,
        title: str = "",
        *,
        command: Sequence[str] = ("edgetwin",),
        host: str = LOOPBACK,
        port: int = 0,
    ) -> None:
        self.board = board
        self.title = title or f"{board.name}, live"
        self.token = secrets.token_urlsafe(16)
        self._command = tuple(command)
        self._lock = threading.Condition()
        self._readings: list[Reading] = []
        self._keep_every = 1
        self._seen = 0
        self._serial = 0
        self._ended = False
        self._address = host, port

    @property
    def url(self) -> str:
        """Where the page is, inside the block; the token is part of it."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/?token={self.token}"

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(self._address, _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="live", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._ended = True
            self._lock.notify_all()
        time.sleep(0.2)  # so that open pages hear of the end
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def begin(self, title: str) -> None:
        """A new run begins under another title; the readings of the last one go."""
        with self._lock:
            self.title = title
            self._readings, self._keep_every, self._seen = [], 1, 0

    def __call__(self, reading: Reading) -> None:
        """One more reading; of a long run every second, fourth ... is kept."""
        with self._lock:
            self._seen += 1
            if self._seen % self._keep_every == 0:
                self._readings.append(reading)
            if len(self._readings) > MOST_READINGS:
                self._readings = self._readings[::2]
                self._keep_every *= 2
            self._serial += 1
            self._lock.notify_all()

    def page(self) -> str:
        """The page as it is now; its script asks for the rest."""
        found = Page(title=self.title, sections=self.sections(), command=self._command)
        return page_html(found, live=f"events?token={self.token}")

    def sections(self) -> list[Section]:
        """What the page shows now."""
        with self._lock:
            readings = list(self._readings)
        items: dict[str, Cell] = {
            "run": self.title,
            "board": f"{self.board.name}: {self.board.title}",
            "time (s)": readings[-1].t_s if readings else None,
            "readings": self._seen,
        }
        found: list[Section] = [KeyValue(title="Now", items=items)]
        return found + (run_sections(self.board, Trace.from_readings(readings)) if readings else [])

    def wait(self, serial: int, timeout_s: float) -> tuple[int, bool]:
        """Wait until there is more than `serial`; the new serial, and whether all is over."""
        with self._lock:
            self._lock.wait_for(lambda: self._serial > serial or self._ended, timeout_s)
            return self._serial, self._ended

    def message(self) -> str:
        """What an open page is sent."""
        sections = self.sections()
        parts = [
            {"title": section.title, "html": html}
            for section, html in zip(sections, sections_html(sections), strict=True)
        ]
        message = {"sections": parts, "contents": contents(sections),
                   "figures": figures_of(sections)}  # fmt: skip
        return json.dumps(message, allow_nan=False)

    def admits(self, path: str, host: str) -> bool:
        """Is this somebody who knows the token, under a name of this machine?"""
        given = parse_qs(urlsplit(path).query).get("token", [""])[0]
        name = host.rpartition(":")[0].strip("[]")
        local = self._address[0] != LOOPBACK or name in (LOOPBACK, "localhost", "::1")
        return local and hmac.compare_digest(given.encode(), self.token.encode())


def _handler(view: LiveView) -> type[BaseHTTPRequestHandler]:
    """What answers requests for one view."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not view.admits(self.path, self.headers.get("Host", "")):
                self.send_error(403, "the address lacks the token that was printed")
                return
            place = urlsplit(self.path).path
            if place == "/":
                self._answer("text/html; charset=utf-8", view.page().encode())
            elif place == "/events":
                self._stream()
            else:
                self.send_error(404)

        def _answer(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Referrer-Policy", "no-referrer")
            self.end_headers()
            self.wfile.write(body)

        def _stream(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            serial, ended = -1, False
            try:
                while not ended:
                    new, ended = view.wait(serial, 10.0)
                    if new != serial:
                        self._event("update", view.message())
                    else:
                        self._event("alive", "")
                    serial = new
                    time.sleep(0.0 if ended else PERIOD_S)
                self._event("end", "")
            except OSError:
                return  # the page was closed

        def _event(self, name: str, data: str) -> None:
            self.wfile.write(f"event: {name}\ndata: {data}\n\n".encode())
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            """Requests are nobody's news, and their address holds the token."""

    return Handler


def paced(watch: Callable[[Reading], None], pace: float) -> Callable[[Reading], None]:
    """Watch so that `pace` simulated seconds take one of the wall clock; 0 for no waiting."""
    if not pace > 0:
        return watch
    start: list[float] = []

    def slowed(reading: Reading) -> None:
        if not start or reading.t_s < start[1]:
            start[:] = [time.monotonic(), reading.t_s]
        watch(reading)
        ahead_s = (reading.t_s - start[1]) / pace - (time.monotonic() - start[0])
        if ahead_s > 0:
            time.sleep(ahead_s)

    return slowed

"""A virtual environment per peer, made on demand from pinned versions and kept in a cache."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any, final

HERE = Path(__file__).parent
INSTALL_S, START_S = 900.0, 120.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An environment of a peer: its id, the file of its pinned packages, what to import first."""

    env_id: str
    pins: str
    modules: tuple[str, ...] = ()


PEERS = {
    "halfcheetah": Offer(env_id="HalfCheetah-v5", pins="mujoco.txt"),
    "electric_motor": Offer(
        env_id="Cont-CC-PMSM-v0", pins="gym_electric_motor.txt", modules=("gym_electric_motor",)
    ),
    "highway_fast": Offer(
        env_id="highway-fast-v0", pins="highway.txt", modules=("highway_env",)
    ),
}  # fmt: skip


@final
class Peer:
    """A running environment of a peer; it waits while others are asked."""

    def __init__(self, offer: Offer, process: "subprocess.Popen[str]") -> None:
        self.offer = offer
        self._process = process
        self.rewards: list[float] = []

    def step_s(self, steps: int) -> float:
        """Seconds per step over so many steps with random actions; RuntimeError if it died."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        found = json.loads(_line(self._process, self.offer.env_id))
        self.rewards.append(found["rewards"])
        return float(found["seconds"]) / steps


@contextmanager
def open_peers(
    names: tuple[str, ...] = tuple(PEERS),
) -> Iterator[tuple[dict[str, Peer], dict[str, str]]]:
    """Running peers by name, and of those that cannot run here the reason by name."""
    running: dict[str, Peer] = {}
    absent: dict[str, str] = {}
    with ExitStack() as stack:
        for name in names:
            try:
                running[name] = stack.enter_context(_running(PEERS[name]))
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                absent[name] = " ".join(str(error).split())[-300:]
        yield running, absent


@contextmanager
def _running(offer: Offer) -> Iterator[Peer]:
    python = _interpreter(offer.pins)
    process = subprocess.Popen(
        [python, HERE / "loop.py", offer.env_id, *offer.modules],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=_clean(),
        cwd=tempfile.gettempdir(),  # MuJoCo leaves a log where it is started
    )
    try:
        if _line(process, offer.env_id) != "ready":
            raise RuntimeError(f"{offer.env_id} said something else than that it is ready.")
        yield Peer(offer, process)
    finally:
        with suppress(OSError):
            process.kill()
        process.communicate()


def _line(process: "subprocess.Popen[str]", name: str) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise RuntimeError(f"the process of {name} ended with code {process.wait(START_S)}.")
    return line


def _interpreter(pins: str) -> Path:
    """The interpreter of the environment that holds these pins, made now if there is none."""
    text = (HERE / pins).read_text(encoding="utf-8")
    digest = hashlib.sha256(f"{sys.version} {text}".encode()).hexdigest()[:12]
    folder = cache_folder() / f"{Path(pins).stem}-{digest}"
    python = folder / "bin" / "python"
    if (folder / "complete").is_file():
        return python
    rmtree(folder, ignore_errors=True)
    try:
        _run([sys.executable, "-m", "venv", folder])
        _run([python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", HERE / pins])
    except BaseException:
        rmtree(folder, ignore_errors=True)
        raise
    (folder / "complete").touch()
    return python


def cache_folder() -> Path:
    """Where environments of peers are kept: EDGETWIN_PEERS, or the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("EDGETWIN_PEERS") or Path(cache) / "edgetwin" / "peers")


def _run(command: list[Any]) -> None:
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True, text=True, check=False, timeout=INSTALL_S, env=_clean(),
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command[1:]))} failed: {done.stderr.strip()}")


def _clean() -> dict[str, str]:
    """The environment without what would let a peer see this checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

"""Hostile input to the agent: messages that no sound host sends, and what they may not do."""

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from edgetwin.hardware.agent import SHAPES
from edgetwin.hardware.link import command_of
from edgetwin.hardware.safety import Limits, description
from edgetwin.reproduce.hardware.bench import Served, same, wait_until
from hw_models.board import Board, load_board

SESSION: Final = 5000  # messages to one agent
ANSWER_S: Final = 20.0
_ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1e308, -1e308, 10**400, 2**63, "", "a" * 4096, "../../../etc/passwd",
    "/etc/passwd", "\0", "cpu\n", "nan", [], {}, [[]], {"a": {"b": []}}, "\ud800", "%s%n", 0.5,
)  # fmt: skip
_PATHS: Final = (
    "/etc/passwd", "/sys/../../../etc/passwd", "/sys/class/../../../etc/shadow",
    "/sys/kernel/debug/../../etc/hosts", "/sys/devices/*/*/*/*/*/*/*",
    "/sys/class/hwmon/escape/pwm1",
    "/sys/power/state", "/sys/kernel/debug/clk/override.emc/../../../../../canary", "relative", "",
    "/proc/self/mem", "/sys/devices/system/cpu/cpu0/online", "/sys/devices/system/cpu/cpu1/online",
)  # fmt: skip


@final
@dataclass(slots=True, kw_only=True)
class Fuzzed:
    """What hostile messages did."""

    messages: int = 0
    answers: int = 0
    sessions: int = 0
    ended: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    off_table: list[str] = field(default_factory=list)
    unrestored: list[str] = field(default_factory=list)
    canary_touched: bool = False
    hung: int = 0


def hostile(board: Board, rng: np.random.Generator, ident: int) -> bytes:
    """One message."""
    kind = int(rng.integers(10))
    if kind == 0:
        return _noise(rng)
    if kind == 1:
        return b'{"id":%d,"verb":"apply","clocks":' % ident + _deep(rng) + b"}"
    if kind == 2:
        words = ("NaN", "Infinity", "-Infinity", "1e999", "9" * 2000)
        return b'{"id":%d,"verb":"apply","fan":%s}' % (ident, str(rng.choice(words)).encode())
    message: dict[str, Any] = {"id": ident if rng.random() < 0.9 else _odd(rng)}
    message |= _verb(board, rng)
    if rng.random() < 0.2:
        key = str(rng.choice([*message, "clocks", "spec", "job", "unit", "verb"]))
        message[key] = _odd(rng)
    return json.dumps(message).encode("utf-8", "surrogatepass")


def _noise(rng: np.random.Generator) -> bytes:
    size = int(rng.integers(1, 200))
    return rng.integers(0, 256, size, dtype=np.uint8).tobytes().replace(b"\n", b" ")


def _deep(rng: np.random.Generator) -> bytes:
    depth = int(rng.choice([10, 1000, 50000]))
    return b'{"a":' * depth + b"1" + b"}" * depth if rng.random() < 0.5 else b"[" * depth


def _odd(rng: np.random.Generator) -> Any:
    return _ODD[int(rng.integers(len(_ODD)))]


def _verb(board: Board, rng: np.random.Generator) -> dict[str, Any]:
    verb = str(rng.choice(["apply", "apply", "apply", "start", "migrate", "stop", "record", "read",
                           "describe", "restore", "ping", "eval"]))  # fmt: skip
    domain = str(rng.choice([*board.clocks, "nowhere", "../cpu"]))
    if verb == "apply":
        return {"verb": verb, "clocks": {domain: _wish(board, rng)}, "fan": _odd(rng)}
    if verb == "start":
        return {"verb": verb, "job": str(rng.choice(["a", "b", "../c", "d e"])), "unit": _odd(rng),
                "command": ["/bin/true"] if rng.random() < 0.05 else _odd(rng),
                "words": _odd(rng), "kind": "load"}  # fmt: skip
    if verb in ("migrate", "stop"):
        return {"verb": verb, "job": str(rng.choice(["a", "b", "z"])), "unit": _odd(rng),
                "batch": _odd(rng)}  # fmt: skip
    if verb == "record":
        return {"verb": verb, "period_s": _odd(rng)}
    if verb == "describe":
        return {"verb": verb, "protocols": [1], "spec": hostile_spec(board, rng)}
    return {"verb": verb, "zero": _odd(rng)}


def _wish(board: Board, rng: np.random.Generator) -> Any:
    some = board.clocks[str(rng.choice([*board.clocks]))]
    return [
        {"hz": float(rng.choice(some.freqs_hz.value))},
        {"hz": _odd(rng)},
        {"governor": str(rng.choice([*some.governors, "x" * 40, "../..", "a b"]))},
        {"governor": _odd(rng)},
        _odd(rng),
    ][int(rng.integers(5))]


def hostile_spec(board: Board, rng: np.random.Generator) -> dict[str, Any]:
    """A description that wants other files, clocks and limits than the board has."""
    spec: dict[str, Any] = json.loads(json.dumps(description(board, Limits())))
    clock = spec["clocks"][str(rng.choice([*spec["clocks"]]))]
    key = str(rng.choice(["min", "max", "governor", "rate", "switches", "read", "list"]))
    clock[key] = [str(rng.choice(_PATHS))]
    more = int(rng.integers(5))
    if more == 0:
        clock["table_hz"] = [-1, 1e30, 5]
    elif more == 1:
        spec["limits_c"] = dict.fromkeys(spec["limits_c"], 1e9)
    elif more == 2:
        spec["zones"] = {"../x": {"path": [str(rng.choice(_PATHS))], "types": []}}
    elif more == 3:
        spec[str(rng.choice([*spec]))] = _odd(rng)
    else:
        spec["fan"] = {"pwm": [0, 255, 9999], "target": [str(rng.choice(_PATHS))], "read": []}
    return spec


def fuzz(served: Served, count: int, seed: int) -> Fuzzed:
    """Send so many messages, a new agent every SESSION or when one ends; look after each."""
    rng = np.random.default_rng([seed, 13])
    board, found = load_board(served.name), Fuzzed()
    before, marks = served.knobs(), len(served.writes())
    canary = Path(tempfile.mkstemp(prefix="edgetwin-canary-")[1])
    canary.write_text("untouched")
    try:
        while found.messages < count:
            _session(served, board, rng, min(SESSION, count - found.messages), found)
            wait_until(lambda: not same(before, served.knobs()), 10.0)
            found.unrestored += same(before, served.knobs())
        found.canary_touched = canary.read_text() != "untouched"
    finally:
        canary.unlink()
    _audit(board, served.writes()[marks:], found)
    return found


def _audit(board: Board, writes: list[tuple[float, str, str]], found: Fuzzed) -> None:
    """Every write is in the allow-list and of a value that board or device knows."""
    counts = {str(round(hz / per)) for c in board.clocks.values() for hz in c.freqs_hz.value
              for per in (1.0, 1000.0)}  # fmt: skip
    pwm = {str(p) for p in (board.limits.fan.pwm if board.limits.fan else ())}
    known = counts | pwm | {"0", "1"}
    for _, path, text in writes:
        if not any(shape.match(path) for shape in SHAPES):
            found.outside.append(f"{path} <- {text[:40]}")
        elif not path.endswith("governor") and text not in known:
            found.off_table.append(f"{path} <- {text[:40]}")


def _session(
    served: Served, board: Board, rng: np.random.Generator, count: int, found: Fuzzed
) -> None:
    from importlib import resources

    with tempfile.TemporaryDirectory(prefix="edgetwin-state-") as state:
        command = command_of("local", str(served.root), state)
        agent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, bufsize=0)  # fmt: skip
        assert agent.stdin and agent.stdout
        found.sessions += 1
        source = (resources.files("edgetwin.hardware") / "agent.py").read_bytes()
        os.write(agent.stdin.fileno(), b"%d\n" % len(source))
        agent.stdin.write(source)
        try:
            sent = 0
            if rng.random() < 0.8:  # most sessions are bound to the board as a sound host does it
                spec = description(board, Limits(deadman_s=30.0))
                first = {"id": -1, "verb": "describe", "protocols": [1], "spec": spec}
                _exchange(agent, [json.dumps(first).encode()], found)
            while sent < count and agent.poll() is None:
                batch = [hostile(board, rng, sent + i) for i in range(20)]
                _exchange(agent, batch, found)
                sent += len(batch)
                found.messages += len(batch)
            if agent.poll() is not None:
                found.ended.append(f"exit code {agent.returncode} after {sent} messages")
        finally:
            agent.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                agent.wait(15.0)
            if agent.poll() is None:
                found.hung += 1
                agent.kill()
            agent.stdout.close()


def _exchange(agent: "subprocess.Popen[bytes]", batch: list[bytes], found: Fuzzed) -> None:
    """Send some lines and a ping, and wait for the answer to the ping."""
    assert agent.stdin and agent.stdout
    mark = f"mark-{found.messages}-{len(batch)}"
    last = json.dumps({"id": mark, "verb": "ping"}).encode()
    data, heard = b"\n".join([*batch, last]) + b"\n", b""
    until_s = time.monotonic() + ANSWER_S
    os.set_blocking(agent.stdin.fileno(), False)
    while mark.encode() not in heard:
        left_s = until_s - time.monotonic()
        writers = [agent.stdin] if data else []
        ready, free, _ = select.select([agent.stdout], writers, [], max(left_s, 0.0))
        if free:
            with suppress(BlockingIOError):
                data = data[os.write(agent.stdin.fileno(), data[:4096]) :]
        if ready:
            said = os.read(agent.stdout.fileno(), 1 << 18)
            if not said:
                return
            found.answers += said.count(b"\n")
            heard = (heard + said)[-(1 << 18) :]
        if left_s <= 0.0:
            found.hung += 1
            return


def lines_of(found: Fuzzed) -> Iterator[str]:
    """What went wrong, in words."""
    yield from found.outside
    yield from found.off_table
    yield from found.unrestored
    if found.canary_touched:
        yield "a file outside the board was written"

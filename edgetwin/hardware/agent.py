"""The agent runs on the board: it samples, turns knobs within an allow-list, and gives back.

One file, Python 3.6 and its standard library, started by a loader that reads it from stdin (see
`link.py`), then lines of JSON. It trusts nobody: paths must have a form that is written here, lie
below the root and belong to the one board described first; values must be in that board's table
and in what the device offers. What is found is kept, in memory and on disk, before the first
write. It is put back when the host closes the link or falls silent, on a signal, at the end of the
longest session, by a guardian process when the agent itself is killed or hangs, and from the
journal at the next start when both were.
"""

import ctypes
import errno
import fcntl
import glob
import json
import os
import platform
import re
import select
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Tuple  # noqa: F401  in type comments

PROTOCOLS = [1]
LINE_BYTES = 1 << 20  # a longer line is refused
SAMPLE_S = 0.02  # board seconds between samples
SLOWEST_S = 0.2  # board seconds; no sensor's period counts as longer, whatever it is said to be
STALE_S = 0.5  # a value older than this is no reading
BLIND_S = 2.0  # so long may every temperature be unreadable while clocks are held
HANG_S = 3.0  # the guardian takes over when the agent is silent for so long
GIVE_UP_S = 60.0  # so long the guardian tries to put things back
SLOW_S = 0.25  # a file that takes longer to read is left alone
SLOW_AGAIN_S = 10.0  # and tried again after so long
HOTTEST_C = 100.0  # no board is held at its clocks above this, whatever its file says
COOLER_K = 5.0  # so far below its limit a zone must be until a trip ends
CLOSE = 0.01  # clocks are rounded by drivers: read back within one per cent
SANE = {"zone": (-60.0, 200.0), "rail": (-1.0, 1000.0), "clock": (0.0, 2e10)}
SANE.update({"fan": (0.0, 255.0), "load": (0.0, 1.5), "memory": (0.0, 1.0e8)})

TOPS = ("/sys/", "/proc/", "/edgetwin/")  # nothing else is opened

_CPUFREQ = r"/sys/devices/system/cpu/(cpu\d+/cpufreq|cpufreq/policy\d+)"
_DEVFREQ = r"/sys/(class/devfreq|devices(/[\w.:-]+)+/devfreq)/[\w.:-]+"
_EMC = r"/sys/kernel/debug/(bpmp/debug/clk/emc|clk/override\.emc)"
# Everything that may be written, whatever a host asks for.
SHAPES = [
    re.compile(pattern + r"\Z")
    for pattern in (
        _CPUFREQ + r"/scaling_(min_freq|max_freq|governor)",
        _DEVFREQ + r"/(min_freq|max_freq|governor)",
        _EMC + r"/(rate|state|mrq_rate_locked|clk_rate|clk_state)",
        r"/sys/devices/pwm-fan/target_pwm",
        r"/sys/class/hwmon/hwmon\d+/pwm1(_enable)?",
        r"/sys/class/thermal/cooling_device\d+/cur_state",
    )
]
# What may be searched for; few wildcards, since a search must end.
_PATTERN = re.compile(r"/sys(/(?!\.\.?(/|\Z))[\w.:*+\[\]-]+)+\Z")
_NAME = re.compile(r"[A-Za-z0-9][\w.:-]{0,63}\Z")
_GOVERNOR = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")

Message = Dict[str, Any]


class Refused(Exception):
    """A request that is not carried out; kind is value, busy, safety or io."""

    def __init__(self, text: str, kind: str = "value") -> None:
        Exception.__init__(self, text)
        self.kind = kind


def now_s() -> float:
    """Seconds on a clock that nobody can set."""
    return time.monotonic()


def said(error: BaseException) -> str:
    """An error in one line."""
    text = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    return " ".join(text.split())[:300] or type(error).__name__


def log(text: str) -> None:
    """A line for whoever reads the agent's stderr."""
    try:
        os.write(2, ("edgetwin agent: %s\n" % text).encode("utf-8", "replace"))
    except OSError:
        pass


# -- files below the root ------------------------------------------------------------------


class Files:
    """The files of a board below a root; descriptors stay open."""

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)
        self.base = "" if self.root == "/" else self.root
        self._readers = {}  # type: Dict[str, int]
        self._writers = {}  # type: Dict[str, int]
        self._cut = {}  # type: Dict[int, bool]

    def below(self, path: str) -> str:
        """Where a path of the board lies on this machine; Refused for one that leaves the root."""
        whole = self.base + path
        if "\0" in path or not path.startswith("/") or ".." in path.split("/"):
            raise Refused("%r is no path of a board" % path[:80], "safety")
        real = os.path.realpath(whole)
        if not real.startswith(tuple(self.base + top for top in TOPS)):
            raise Refused("%s leads out of the board's files" % path, "safety")
        return whole

    def find(self, patterns: Any) -> Optional[str]:
        """The first path that exists among patterns, in their order."""
        found = self.find_all(patterns)
        return found[0] if found else None

    def find_all(self, patterns: Any) -> List[str]:
        """Every path that matches a pattern, sorted within each."""
        paths = []  # type: List[str]
        for pattern in patterns if isinstance(patterns, list) else []:
            if not isinstance(pattern, str) or not _PATTERN.match(pattern):
                continue
            if len(pattern) > 256 or pattern.count("*") > 4:
                continue
            for whole in sorted(glob.glob(glob.escape(self.base) + pattern), key=_natural):
                path = whole[len(self.base) :]
                try:
                    self.below(path)
                except Refused:
                    continue
                if path not in paths:
                    paths.append(path)
        return paths

    def data(self, path: str, most: int = 65536) -> bytes:
        """What a file says now, at most so many bytes; OSError where it does not."""
        fd = self._readers.get(path)
        if fd is None:
            fd = self._readers[path] = os.open(self.below(path), os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(fd, most, 0)
        except OSError:
            self.forget(path)
            raise

    def text(self, path: str, most: int = 65536) -> str:
        """What a file says now, at most so many bytes, without blanks around it."""
        return self.data(path, most).decode("utf-8", "replace").strip()

    def number(self, path: str) -> float:
        """The number that a file holds; ValueError for anything else."""
        return number_in(self.data(path, 64))

    def put(self, path: str, text: str) -> None:
        """Write a file whose form is in the allow-list; OSError where the device refuses."""
        if not any(shape.match(path) for shape in SHAPES):
            raise Refused("%s is not in the allow-list" % path[:120], "safety")
        fd = self._writers.get(path)
        if fd is None:
            fd = self._writers[path] = os.open(self.below(path), os.O_WRONLY | os.O_CLOEXEC)
            self._cut[fd] = os.fstat(fd).st_size not in (0, 4096)  # sysfs says 4096, debugfs 0
        try:
            if self._cut[fd]:
                os.ftruncate(fd, 0)
            os.pwrite(fd, (text + "\n").encode("ascii"), 0)
        except OSError:
            self.forget(path)
            raise

    def forget(self, path: str) -> None:
        """Close what is open of a path: it may have become another file."""
        for table in (self._readers, self._writers):
            fd = table.pop(path, None)
            if fd is not None:
                self._cut.pop(fd, None)
                os.close(fd)

    def may_write(self, path: Optional[str]) -> bool:
        """True for a file that exists and that this user may write."""
        return path is not None and os.access(self.base + path, os.W_OK)


def _natural(path: str) -> List[Any]:
    """Sorts thermal_zone2 before thermal_zone10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path)]


# -- what can be read ----------------------------------------------------------------------


class Channel:
    """One number that the board tells, from one file or as the product of two.

    period_s is the sensor's own, in board seconds; 0 where it is not known.
    """

    def __init__(
        self, kind: str, name: str, paths: List[str], scale: float, period_s: float = 0.0
    ) -> None:
        self.kind = kind
        self.name = name
        self.paths = paths
        self.scale = scale
        self.period_s = period_s
        self.sane = SANE[kind]
        self.said = None  # type: Optional[List[bytes]]
        self.value = None  # type: Optional[float]
        self.at_s = -1e9
        self.fault = "not read yet"
        self.same_since_s = 0.0
        self.leave_until_s = 0.0

    def sample(self, files: Files, at_s: float) -> bool:
        """Read the file at at_s; False, with the fault noted, where that gives no number.

        Sensors are read more often than they measure: what is said again is not worked out again.
        """
        try:
            words = []
            for path in self.paths:  # a comprehension would cost a function for every sample
                words.append(files.data(path, 64))  # room costs more than a number
            if words != self.said:
                self._hear(words, at_s)
        except (OSError, ValueError, Refused) as error:
            self.said, self.fault = None, "%s: %s" % (self.paths[0], said(error))
            return False
        self.at_s, self.fault = at_s, ""
        return True

    def _hear(self, words: List[bytes], at_s: float) -> None:
        value = self.scale
        for word in words:
            value *= number_in(word)
        low, high = self.sane
        if not low <= value <= high:
            raise ValueError("says %.6g, out of range" % value)
        if value != self.value:
            self.same_since_s, self.value = at_s, value
        self.said = words

    def fresh(self, at_s: float) -> Optional[float]:
        """The value, None when it is too old to be a reading."""
        return self.value if at_s - self.at_s <= STALE_S else None

    def why(self, at_s: float) -> str:
        """What is wrong with this channel now; empty when nothing is."""
        if self.fresh(at_s) is not None:
            return ""
        return self.fault or "%s: no answer for %.1f s" % (self.paths[0], at_s - self.at_s)


def number_in(data: bytes) -> float:
    """The number that a file's content is; ValueError for anything else."""
    if len(data) < 20 and data.strip().lstrip(b"-").isdigit():
        return float(int(data))
    text = data.decode("utf-8", "replace")
    words = text.split()
    if len(words) != 1 or not re.match(r"-?\d{1,15}(\.\d+)?\Z", words[0]):
        raise ValueError("says %r, no number" % text[:40])
    return float(words[0])


class Sampler:
    """Reads every channel, temperatures and power at the sampling rate, in a thread of its own.

    The input's power, which is added up, is read in every sample, a temperature whose sensor
    measures more seldom twice in that time, any other rail once. A file that blocks blocks its
    thread only: another one takes over and leaves that file alone.
    """

    def __init__(
        self,
        files: Files,
        channels: List[Channel],
        stat: bool,
        scale: float,
        input_rail: Any = None,
    ) -> None:
        self.files = files
        rails = [c for c in channels if c.kind == "rail" and c.name == input_rail]
        self.input = rails[0] if rails else None
        self.fast = [c for c in channels if c.kind in ("zone", "rail")]
        self.slow = [c for c in channels if c.kind not in ("zone", "rail")]
        self.period_s = max(SAMPLE_S / scale, 0.002)
        self.scale = scale
        self.stat = stat
        self.jiffies = {}  # type: Dict[str, Tuple[int, int]]
        self.energy_j = 0.0
        self.energy_known = True
        self.after = None  # type: Optional[Callable[[float], None]]
        self._counted_at = None  # type: Optional[Tuple[float, float]]
        self._plan = self._planned()
        # Temperatures are looked at when they were read, and every other time in any case.
        self._is_watched = [
            turn % 2 == 0 or any(c.kind == "zone" for c in sample)
            for turn, sample in enumerate(self._plan)
        ]
        self._samples = 0
        self._wanted = False
        self._rest = threading.Lock()  # held; an Event would cost as much as two sensors
        self._rest.acquire()
        self._done = threading.Lock()  # held as well, until what is asked for is read
        self._done.acquire()
        self._turn = 0
        self._at = None  # type: Optional[Channel]
        self._at_s = 0.0
        self._over = False

    def _planned(self) -> List[List[Channel]]:
        """What to read in each of 60 samples; slow sensors share one."""
        own_s = self.period_s * self.scale * (1.0 - 1e-9)
        every = [
            1 if c is self.input else max(1, int(c.period_s / own_s) // (1 + (c.kind == "zone")))
            for c in self.fast
        ]
        return [[c for c, k in zip(self.fast, every) if turn % k == 0] for turn in range(60)]

    def start(self) -> None:
        """Begin to sample."""
        self._spawn()

    def stop(self) -> None:
        """Sample no more; a thread that is blocked ends when its file answers."""
        self._over = True
        self._turn += 1
        self._wake()

    def _wake(self) -> None:
        self._wanted = True
        try:
            self._rest.release()
        except RuntimeError:  # it is awake
            pass

    def _tell(self) -> None:
        try:
            self._done.release()
        except RuntimeError:  # nobody has waited for the last one
            pass

    def refresh(self) -> None:
        """Read what is not sampled anyway; returns after SLOW_S at the latest."""
        self._done.acquire(False)  # it came too late for the last one
        self._wake()
        if not self._done.acquire(True, SLOW_S):
            self.replace()

    def replace(self) -> None:
        """Leave a file alone that does not answer, and go on in another thread."""
        at, since_s = self._at, self._at_s
        if self._over or at is None or now_s() - since_s < SLOW_S:
            return
        at.fault = "%s: no answer within %.2f s" % (at.paths[0], SLOW_S)
        at.leave_until_s = now_s() + SLOW_AGAIN_S
        self._spawn()

    def _spawn(self) -> None:
        self._turn += 1
        self._at, self._at_s = None, now_s()
        thread = threading.Thread(target=self._run, args=(self._turn,))
        thread.daemon = True
        thread.start()

    def _run(self, turn: int) -> None:
        due_s = now_s()
        while turn == self._turn:
            if self._wanted:
                self._serve(turn)
            at_s = now_s()
            if at_s >= due_s:
                at = self._samples % len(self._plan)
                self._sweep(self._plan[at], turn)
                self._samples += 1
                at_s = now_s()
                if turn == self._turn:
                    self._count()
                    if self.after and self._is_watched[at]:
                        self.after(at_s)
                due_s = max(due_s + self.period_s, at_s - self.period_s)
            if not self._wanted:  # else it came while the first sample was taken
                self._rest.acquire(True, max(due_s - at_s, 0.0))

    def _serve(self, turn: int) -> None:
        """Read what somebody waits for, once every sensor was read; who asks from now on asks anew.

        Nobody waits for sensors that are sampled anyway, be it their turn or not.
        """
        if self._wanted and self._samples and turn == self._turn:
            self._wanted = False
            self._sweep(self.slow, turn)
            if turn == self._turn:
                self._read_stat()
                self._tell()

    def _sweep(self, channels: List[Channel], turn: int) -> None:
        for channel in channels:
            if self._wanted:
                self._serve(turn)
            if turn != self._turn:
                return
            started_s = time.monotonic()
            if started_s >= channel.leave_until_s:
                self._at_s, self._at = started_s, channel
                channel.sample(self.files, started_s)
        self._at = None

    def _count(self) -> None:
        """Add the energy since the last sample of the input's power, by the trapezium."""
        if self.input is None or self.input.fault:
            return
        value, at_s = self.input.value, self.input.at_s
        if value is None:
            return
        if self._counted_at is not None:
            before_s, before_w = self._counted_at
            gap_s = at_s - before_s
            if gap_s > STALE_S:
                self.energy_known = False
            self.energy_j += 0.5 * (value + before_w) * gap_s * self.scale
        self._counted_at = (at_s, value)

    def zero(self) -> None:
        """Count energy from here."""
        self._counted_at = None
        self.energy_j, self.energy_known = 0.0, True

    def _read_stat(self) -> None:
        if not self.stat:
            return
        found = {}
        try:
            for line in self.files.text("/proc/stat").split("\n"):
                if not line.startswith("cpu"):
                    break  # the cores come first
                name, *words = line.split()
                if name[3:].isdigit():
                    counts = [int(word) for word in words[:8]]
                    found[name] = (sum(counts) - sum(counts[3:5]), sum(counts))
        except (OSError, ValueError, Refused):
            found = {}
        self.jiffies = found


# -- putting things back -------------------------------------------------------------------

# A group is {"range": [min path, min, max path, max], "plain": [[path, text], ...], "loose": ...}:
# plain files read back what is written; loose ones are written once, before plain ones let go.
Group = Dict[str, Any]


def put_range(
    files: Files, low: Tuple[str, int], high: Tuple[str, int], highest: Optional[int] = None
) -> None:
    """Write a range of clocks in the order in which it is a range all the time.

    highest is the upper limit that is set now, where that is known.
    """
    if highest is None:
        highest = int(files.number(high[0]))
    order = (high, low) if low[1] > highest else (low, high)
    for path, count in order:
        files.put(path, str(count))


def reads_as(files: Files, path: str, text: str) -> bool:
    """True when a file reads back what was written, numbers within a per cent."""
    back = files.text(path, 4096)  # a page is all that such a file says
    if back == text:
        return True
    try:
        return abs(float(back) - float(text)) <= CLOSE * abs(float(text))
    except ValueError:
        return False


def put_back(files: Files, groups: List[Group]) -> List[str]:
    """One try to put back what was found; what did not go back, in words."""
    wrong = []  # type: List[str]
    for group in groups:
        steps = [(path, text) for path, text in group["plain"]]
        if group.get("range"):
            low_path, low, high_path, high = group["range"]
            steps += [(low_path, str(low)), (high_path, str(high))]
        try:
            if not all(reads_as(files, path, text) for path, text in steps):
                for path, text in group.get("loose") or []:
                    files.put(path, text)
                if group.get("range"):
                    put_range(files, (low_path, low), (high_path, high))
        except (OSError, ValueError, Refused):
            pass  # what that means is seen below, file by file
        for path, text in steps:
            try:
                if not reads_as(files, path, text):
                    files.put(path, text)
                if not reads_as(files, path, text):
                    wrong.append("%s reads %s, was %s" % (path, files.text(path)[:40], text))
            except (OSError, ValueError, Refused) as error:
                wrong.append("%s: %s" % (path, said(error)))
    return wrong


def keep_putting_back(files: Files, groups: List[Group], for_s: float) -> List[str]:
    """Try until everything is back or the time is over; what is still wrong."""
    until_s = now_s() + for_s
    while True:
        wrong = put_back(files, groups)
        if not wrong or now_s() > until_s:
            return wrong
        time.sleep(0.1)


def started_ticks(pid: int) -> int:
    """When a process started, in ticks of the kernel; -1 where there is none."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return -1
    return -1 if fields[0] == "Z" else int(fields[19])


def pen_of(pid: int) -> str:
    """The control group of a job: what leaves its process group does not leave this."""
    return "/sys/fs/cgroup/edgetwin-%d" % pid


def pen_in(pid: int) -> None:
    """Put a job into a control group of its own, where the kernel has the second version."""
    try:
        os.mkdir(pen_of(pid))
        with open(pen_of(pid) + "/cgroup.procs", "w") as file:
            file.write(str(pid))
    except OSError:
        pass


def empty_pen(pid: int) -> None:
    """Kill all that is in a job's control group, and take the group away."""
    pen = pen_of(pid)
    try:
        with open(pen + "/cgroup.kill", "w") as file:
            file.write("1")
        until_s = now_s() + 1.0
        while now_s() < until_s:
            with open(pen + "/cgroup.procs") as file:
                if not file.read():
                    break
            time.sleep(0.01)
        os.rmdir(pen)
    except OSError:
        pass


def kill_jobs(jobs: List[List[int]]) -> None:
    """Kill process groups [pid, start]; a number that another process has by now is left alone."""
    for pid, ticks in jobs:
        if os.path.isdir(pen_of(pid)):
            empty_pen(pid)
        if pid > 1 and started_ticks(pid) == ticks:
            try:
                os.killpg(pid, signal.SIGKILL)
            except OSError:
                pass


class Journal:
    """What was found and which jobs run, on disk, for whoever comes after a sudden death."""

    def __init__(self, state: str, root: str) -> None:
        self.folder = state
        name = re.sub(r"[^A-Za-z0-9]+", "-", root).strip("-")[-100:] or "root"
        self.path = os.path.join(state, "%s.journal" % name)

    def write(self, groups: List[Group], jobs: List[List[int]]) -> None:
        """Keep it, whole or not at all; OSError where the disk is full or not ours."""
        os.makedirs(self.folder, 0o700, exist_ok=True)
        if os.stat(self.folder).st_uid != os.getuid():
            raise OSError(errno.EPERM, "the state folder belongs to somebody else", self.folder)
        data = json.dumps({"boot": _boot(), "groups": groups, "jobs": jobs, "pid": os.getpid()})
        part = "%s.%d" % (self.path, os.getpid())
        try:
            self._write(part, data.encode("ascii"))
        except OSError as error:
            if os.path.exists(part):
                os.unlink(part)
            raise OSError(error.errno, error.strerror, self.path)
        os.replace(part, self.path)

    def _write(self, path: str, left: bytes) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            while left:
                left = left[os.write(fd, left) :]
            os.fsync(fd)
        finally:
            os.close(fd)

    def read(self) -> Optional[Message]:
        """What a session that died left behind; None where nothing is to be put back."""
        try:
            if os.stat(self.path).st_uid != os.getuid():
                return None
            with open(self.path) as file:
                kept = json.load(file)
            return kept if isinstance(kept, dict) and kept.get("boot") == _boot() else None
        except (OSError, ValueError):
            return None

    def clear(self) -> None:
        """Everything is as it was found."""
        try:
            os.unlink(self.path)
        except OSError:
            pass


def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


# -- the guardian --------------------------------------------------------------------------


def start_guardian(files: Files, journal: Journal) -> int:
    """Fork the process that puts things back when this one cannot; the end to talk to it."""
    here, there = os.pipe()
    agent = os.getpid()
    if os.fork():
        os.close(here)
        os.set_blocking(there, True)
        return there
    os.close(there)
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        for fd in (0, 1):
            os.close(fd)
        _guard(here, agent, files, journal)
    except BaseException as error:
        log("guardian failed: %s" % said(error))
    finally:
        os._exit(0)
    return -1


def _guard(here: int, agent: int, files: Files, journal: Journal) -> None:
    """Listen to the agent; act when it ends without a farewell or hangs."""
    groups, jobs = [], []  # type: List[Group], List[List[int]]
    held = False
    rest = b""
    why = "the agent was killed"
    while True:
        ready = select.select([here], [], [], HANG_S if held else None)[0]
        data = os.read(here, 65536) if ready else b""
        if not data:
            if ready:
                break
            why = "the agent hung for %.0f s" % HANG_S
            break
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if line[:1] == b"D":
                return
            if line[:1] == b"S":
                kept = json.loads(line[1:].decode("ascii"))
                groups, jobs, held = kept["groups"], kept["jobs"], kept["held"]
    if not groups and not jobs:
        return
    try:
        os.kill(agent, signal.SIGKILL)
    except OSError:
        pass
    until_s = now_s() + 15.0
    while os.getppid() == agent and now_s() < until_s:
        time.sleep(0.01)  # it may be inside a write that has to end first
    kill_jobs(jobs)
    wrong = keep_putting_back(files, groups, GIVE_UP_S)
    if not wrong:
        journal.clear()
    log("guardian: %s; %s" % (why, "; ".join(wrong) or "the board is as it was found"))


# -- jobs ----------------------------------------------------------------------------------

# A job of our own. On a virtual board it opens the file behind which its work is simulated, and
# ends with it; on a real one it keeps a core busy. Each line it prints is a step.
WORKER = r"""
import os, select, sys, time
tree, words, period_s = sys.argv[1], sys.argv[2], float(sys.argv[3])
def lines():
    if not select.select([0], [], [], 0)[0]: return []
    data = os.read(0, 65536)
    if not data: sys.exit(0)
    return data.splitlines()
if tree:
    fd = os.open(tree, os.O_RDWR)
    os.write(fd, words.encode())
    while True:
        for line in lines(): os.write(fd, line)
        text = os.pread(fd, 65536, 0).decode().strip()
        print(text, flush=True)
        if '"done": true' in text: break
        time.sleep(period_s)
else:
    x, end_s = 1.0, time.monotonic()
    while True:
        lines()
        for i in range(100000): x = x * 1.0000001 + i
        if time.monotonic() > end_s:
            end_s = time.monotonic() + period_s
            print("step", flush=True)
"""


class Job:
    """One process (group) on a unit; every line that it prints is a step of its work.

    A line of JSON may say more: work so far, at_s on a clock of its own, progress, batch, done.
    """

    def __init__(self, process: Any, unit: str, counters: Any, scale: float) -> None:
        self.process = process
        self.unit = unit
        self.counters = counters
        self.scale = scale
        self.ticks = started_ticks(process.pid)
        self.said = {}  # type: Message
        self.rest = b""
        self.now = self.mark = (now_s() * scale, 0.0)  # type: Tuple[float, float]
        self.counted = {}  # type: Dict[str, Tuple[float, float]]
        self.rate = 0.0
        self.rates = {}  # type: Dict[str, float]
        self.done = False

    def hear(self) -> None:
        """Take in the lines that have come."""
        try:
            data = os.read(self.process.stdout.fileno(), 1 << 16)
        except OSError:
            return
        if not data:
            self.done = True
            return
        *lines, self.rest = (self.rest + data).split(b"\n")
        self.rest = self.rest[-65536:]
        for line in lines:
            if line.strip():
                self._step(line)

    def _step(self, line: bytes) -> None:
        work, at_s, told = self.now[1] + 1.0, now_s() * self.scale, {}  # type: float, float, Message
        if line[:1] == b"{":
            try:
                told = json.loads(line.decode("utf-8"), parse_constant=_no_constant)
                work, at_s = float(told["work"]), float(told.get("at_s", at_s))
            except (ValueError, KeyError, TypeError, RecursionError, Refused):
                told = {}
        if not 0.0 <= work < 1e300 or not abs(at_s) < 1e12:
            return
        if self.mark[1] == 0.0 and "at_s" in told and not self.said:
            self.mark = (at_s, work)  # its clock is another one than ours
        self.now, self.said = (at_s, work), told or self.said
        self.done = self.done or told.get("done") is True

    def reading(self) -> Message:
        """Where it is, what it did and how fast since the last reading."""
        (at_s, work), (before_s, before) = self.now, self.mark
        if at_s > before_s:
            self.rate = max(work - before, 0.0) / (at_s - before_s)
            self.mark = self.now
        self._count(at_s)
        told = {}  # type: Message
        told.update({k: self.said[k] for k in ("progress", "batch") if k in self.said})
        return dict(
            told, unit=self.unit, work=work, done=self.done, steps_per_s=self.rate,
            rates=self.rates, code=self.process.poll(),
        )  # fmt: skip

    def _count(self, at_s: float) -> None:
        """Rates of the kernel's counters, or of what the job itself counts."""
        counts = self.counters.read() if self.counters else {}
        at_s = now_s() * self.scale if self.counters else at_s
        if isinstance(self.said.get("l2d_per_s"), (int, float)):
            self.rates["l2d"] = float(self.said["l2d_per_s"])
        for name, count in counts.items():
            before_s, before = self.counted.get(name, (at_s, count))
            if at_s > before_s:
                self.rates[name] = (count - before) / (at_s - before_s)
            self.counted[name] = (at_s, count)

    def tell(self, line: str) -> None:
        """Send a line to the process; a process that does not listen is not waited for."""
        try:
            os.write(self.process.stdin.fileno(), (line + "\n").encode("utf-8"))
        except OSError as error:
            raise Refused("the job does not listen: %s" % said(error), "io")

    def stop(self) -> None:
        """Kill the process and all its children."""
        kill_jobs([[self.process.pid, self.ticks]])
        if self.counters:
            self.counters.close()
        try:
            self.process.wait(2.0)
        except subprocess.TimeoutExpired:
            pass
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except OSError:
                pass


class Counters:
    """Instructions, cycles and second-level cache accesses of a process, where the kernel lets us.

    `perf_event_open`; the cache event is that of ARM cores (PMU event 0x16).
    """

    CALLS = {"x86_64": 298, "aarch64": 241, "armv7l": 364}

    def __init__(self, pid: int) -> None:
        self.fds = {}  # type: Dict[str, int]
        events = {"cycles": (0, 0), "instructions": (0, 1)}
        if platform.machine() in ("aarch64", "armv7l"):
            events["l2d"] = (4, 0x16)
        for name, (kind, config) in events.items():
            fd = self._open(pid, kind, config)
            if fd >= 0:
                self.fds[name] = fd

    def _open(self, pid: int, kind: int, config: int) -> int:
        call = self.CALLS.get(platform.machine())
        if call is None:
            return -1
        attr = (ctypes.c_uint64 * 8)()
        attr[0] = kind | (64 << 32)
        attr[1] = config
        attr[5] = (1 << 1) | (1 << 5) | (1 << 6)  # inherit, exclude kernel and hypervisor
        library = ctypes.CDLL(None, use_errno=True)
        return int(library.syscall(call, ctypes.byref(attr), pid, -1, -1, 8))

    def read(self) -> Dict[str, float]:
        """Counts so far."""
        found = {}
        for name, fd in self.fds.items():
            try:
                found[name] = float(int.from_bytes(os.read(fd, 8), sys.byteorder))
            except OSError:
                continue
        return found

    def close(self) -> None:
        """Give the counters back."""
        for fd in self.fds.values():
            os.close(fd)
        self.fds = {}


# -- what the board is ---------------------------------------------------------------------


def _need(spec: Any, key: str, kind: Any) -> Any:
    """A part of a description, of the right kind; Refused otherwise."""
    value = spec.get(key) if isinstance(spec, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Refused("the description's %s is %r" % (key, repr(value)[:60]))
    return value


class Clock:
    """One clock domain as the device has it: where it is read, and how it is held."""

    def __init__(self, name: str, spec: Any, files: Files) -> None:
        self.name = name
        self.per_count = float(_need(spec, "hz_per_count", (int, float)))
        if self.per_count not in (1.0, 1000.0):
            raise Refused("hz_per_count of %s is %r" % (name, self.per_count))
        table = _need(spec, "table_hz", list)
        self.table = sorted(int(float(hz) / self.per_count + 0.5) for hz in table[:512])
        if not self.table or not all(0 < count * self.per_count < 2e10 for count in self.table):
            raise Refused("the clocks of %s are no clocks" % name)
        self.default = str(spec.get("default", ""))
        self.read = files.find(spec.get("read"))
        self.low, self.high = files.find(spec.get("min")), files.find(spec.get("max"))
        self.governor = files.find(spec.get("governor"))
        self.rate = files.find(spec.get("rate"))
        self.switches = files.find_all(spec.get("switches"))
        self.offered = self._offered(files, spec)
        self.governors = self._governors(files)
        self.way = self._way(files)
        self.found = None  # type: Optional[Tuple[int, int]]
        self.found_governor = ""
        self.highest = None  # type: Optional[int]  # the upper limit that we set last

    def _offered(self, files: Files, spec: Any) -> List[int]:
        """The device's own table, in its counts; the board's where it does not tell."""
        path = files.find(spec.get("list"))
        try:
            counts = sorted({int(w) for w in files.text(path).split()}) if path else []
        except (OSError, ValueError, Refused):
            counts = []
        return counts or self.table

    def _governors(self, files: Files) -> List[str]:
        if self.governor is None:
            return []
        folder, name = os.path.split(self.governor)
        others = "scaling_available_governors" if name[:1] == "s" else "available_governors"
        try:
            names = files.text(os.path.join(folder, others)).split()
        except (OSError, Refused):
            return []
        return [n for n in names if _GOVERNOR.match(n)]

    def _way(self, files: Files) -> str:
        """How the clock is held: by its range, by its rate, or not at all."""
        if files.may_write(self.low) and files.may_write(self.high):
            return "range"
        if files.may_write(self.rate) and all(files.may_write(p) for p in self.switches):
            return "rate"
        return ""

    def why_not(self) -> str:
        """Why the clock cannot be held."""
        there = [path for path in (self.low, self.high, self.rate) if path]
        if not there:
            return "%s has no clock that can be set on this device" % self.name
        return "may not write %s (run as root)" % there[0]

    def count_of(self, hz: Any) -> int:
        """The device's own count for a clock of the board's table; Refused for any other."""
        if isinstance(hz, bool) or not isinstance(hz, (int, float)) or not 0 < hz < 2e10:
            raise Refused("%s cannot run at %r Hz" % (self.name, repr(hz)[:30]))
        count = hz / self.per_count
        if not any(abs(count - known) < 1.0 for known in self.table):
            raise Refused("%s cannot run at %.0f Hz: not in the board's table" % (self.name, hz))
        near = min(self.offered, key=lambda known: abs(known - count))
        if abs(near - count) > CLOSE * count:
            raise Refused("%s does not offer %.0f Hz on this device" % (self.name, hz))
        return near

    def snapshot(self, files: Files) -> Optional[Group]:
        """What is found, as a group to put back."""
        if not self.way:
            return None
        plain = []
        if self.way == "range":
            assert self.low and self.high
            low, high = (int(files.number(p)) for p in (self.low, self.high))
            self.found = (low, high)
            if files.may_write(self.governor):
                assert self.governor
                self.found_governor = files.text(self.governor)
                plain.append([self.governor, self.found_governor])
            return {"range": [self.low, low, self.high, high], "plain": plain}
        assert self.rate
        self.found = (self.table[0], self.table[-1])
        plain = [[path, str(int(files.number(path)))] for path in self.switches]
        rate = str(int(files.number(self.rate)))
        if plain and plain[0][1] == "0":  # it runs free: its rate is no state to come back to
            return {"rate": self.rate, "plain": plain, "loose": [[self.rate, rate]]}
        return {"rate": self.rate, "plain": [[self.rate, rate]] + plain}

    def describe(self) -> Message:
        """What of this clock is there."""
        return {
            "read": self.read, "way": self.way, "governors": self.governors,
            "offered_hz": [count * self.per_count for count in self.offered],
            "why": "" if self.way else self.why_not(),
            "paths": [p for p in (self.low, self.high, self.governor, self.rate) if p],
        }  # fmt: skip


class Fan:
    """The fan as the device has it."""

    def __init__(self, spec: Any, files: Files) -> None:
        self.pwm = [int(p) for p in _need(spec, "pwm", list)[:64]]
        if not all(0 <= pwm <= 255 for pwm in self.pwm):
            raise Refused("the fan's levels are %r" % self.pwm)
        self.target = files.find(spec.get("target"))
        self.read = files.find(spec.get("read")) or self.target
        self.by_hand = None  # type: Optional[str]
        if self.target and self.target.endswith("/pwm1"):
            self.by_hand = files.find([glob.escape(self.target + "_enable")])
        self.counts_levels = bool(self.target and self.target.endswith("cur_state"))
        self.way = "pwm" if files.may_write(self.target) else ""

    def snapshot(self, files: Files) -> Optional[Group]:
        """What is found, as a group to put back."""
        if not self.way or self.target is None:
            return None
        plain = [[self.target, files.text(self.target)]]
        if files.may_write(self.by_hand) and self.by_hand:
            plain.append([self.by_hand, files.text(self.by_hand)])
        return {"plain": plain}


class Device:
    """Everything of one described board that was found on this device."""

    def __init__(self, spec: Any, files: Files) -> None:
        self.files = files
        self.missing = []  # type: List[str]
        self.channels = []  # type: List[Channel]
        self.input = spec.get("input")
        self.limits_c = {}  # type: Dict[str, float]
        for name, entry in _need(spec, "zones", dict).items():
            self._zone(name, entry)
        for name, options in _need(spec, "rails", dict).items():
            self._rail(name, options)
        self.clocks = {
            name: Clock(name, entry, files) for name, entry in _need(spec, "clocks", dict).items()
        }
        for name, clock in self.clocks.items():
            self._add("clock", name, [clock.read] if clock.read else [], clock.per_count)
        self.fan = Fan(spec["fan"], files) if spec.get("fan") else None
        if self.fan:
            self._add("fan", "fan", [self.fan.read] if self.fan.read else [], 1.0)
        for name, entry in _need(spec, "loads", dict).items():
            path = files.find(entry.get("path"))
            self._add("load", name, [path] if path else [], 1.0 / float(entry["full"]))
        memory = spec.get("memory")
        if memory:
            path = files.find(memory.get("path"))
            self._add("memory", str(memory.get("clock")), [path] if path else [], 1.0)
        self.cpus = {
            str(name): int(cpu)
            for name, cpu in _need(spec, "cpus", dict).items()
            if 0 <= cpu < 4096
        }
        for name, limit_c in _need(spec, "limits_c", dict).items():
            self.limits_c[str(name)] = min(float(limit_c), HOTTEST_C)

    def _add(
        self, kind: str, name: str, paths: List[str], scale: float, period_s: float = 0.0
    ) -> None:
        if not _NAME.match(str(name)):
            raise Refused("%r is no name" % str(name)[:60])
        if paths:
            self.channels.append(Channel(kind, str(name), paths, scale, period_s))
        else:
            self.missing.append("%s.%s" % (kind, name))

    def _zone(self, name: str, entry: Any) -> None:
        wanted = [str(t).lower() for t in entry.get("types", [])]
        for path in self.files.find_all(entry.get("path")):
            kind = os.path.join(os.path.dirname(path), "type")
            try:
                if wanted and self.files.text(kind).lower() not in wanted:
                    continue
            except (OSError, Refused):
                continue
            period_s = _within(entry, "period_s", 0.0, SLOWEST_S, 0.0)
            self._add("zone", name, [path], 1e-3, period_s)
            return
        self._add("zone", name, [], 1.0)

    def _rail(self, name: str, options: Any) -> None:
        for option in options:
            names = [str(n).lower() for n in option.get("names", [])]
            labels = list(self.files.find_all(option.get("label")))  # type: List[Optional[str]]
            for label in labels or [None]:
                try:
                    if label and names and self.files.text(label).lower() not in names:
                        continue
                except (OSError, Refused):
                    continue
                paths, scale = self._rail_files(option, label)
                if paths:
                    period_s = _within(option, "period_s", 0.0, SLOWEST_S, 0.0)
                    self._add("rail", name, paths, scale, period_s)
                    return
        self._add("rail", name, [], 1.0)

    def _rail_files(self, option: Any, label: Optional[str]) -> Tuple[List[str], float]:
        """Power in mW (or W with a point), or voltage in mV and current in mA."""
        if option.get("beside") and label:
            number = re.sub(r"\D", "", os.path.basename(label))
            pair = [
                os.path.join(os.path.dirname(label), form % number)
                for form in ("in%s_input", "curr%s_input")
            ]
            return ([], 1.0) if not all(map(self.files.find, ([p] for p in pair))) else (pair, 1e-6)
        product = self.files.find(option.get("power"))
        if product:
            return [product], float(option.get("w_per_count", 1e-3))
        pair = [
            p for p in map(self.files.find, (option.get("voltage"), option.get("current"))) if p
        ]
        return (pair, 1e-6) if len(pair) == 2 else ([], 1.0)

    def describe(self) -> Message:
        """What was found and what was not."""
        found = {}  # type: Dict[str, Message]
        for channel in self.channels:
            found.setdefault(channel.kind, {})[channel.name] = channel.paths
        return {
            "found": found,
            "missing": self.missing,
            "clocks": {name: clock.describe() for name, clock in self.clocks.items()},
            "fan": self.fan.way if self.fan else "",
            "fan_path": self.fan.target if self.fan else None,
        }


# -- the agent -----------------------------------------------------------------------------


class Agent:
    """Answers one host over stdin and stdout until it leaves, and gives the board back then."""

    def __init__(self, root: str, state: str) -> None:
        self.files = Files(root)
        self.journal = Journal(state, self.files.root)
        self.guardian = -1
        self.spec = None  # type: Optional[Message]
        self.device = None  # type: Optional[Device]
        self.sampler = None  # type: Optional[Sampler]
        self.scale = 1.0
        self.tree = ""
        self.groups = []  # type: List[Group]
        self.jobs = {}  # type: Dict[str, Job]
        self.lock_fd = -1
        self.held = False
        self.dry = False
        self.deadman_s, self.longest_s, self.held_since_s = 5.0, 3600.0, 0.0
        self.heard_s = self.beat_s = now_s()
        self.zero_s = now_s()
        self.zones = []  # type: List[Tuple[Channel, float]]
        self.tripped = ""
        self.trips = 0
        self.blind_since_s = None  # type: Optional[float]
        self.pinned = {}  # type: Dict[str, int]
        self.busy = {}  # type: Dict[str, Tuple[int, int]]
        self.shares = {}  # type: Dict[str, float]
        self.recording_s = 0.0
        self.recorded = []  # type: List[Message]
        self.due_s = 0.0
        self.writing = threading.RLock()
        self.out = b""
        self.ending = ""
        self.verbs = {
            "describe": self.do_describe, "read": self.do_read, "apply": self.do_apply,
            "start": self.do_start, "migrate": self.do_migrate, "stop": self.do_stop,
            "record": self.do_record, "restore": self.do_restore, "ping": self.do_ping,
            "bye": self.do_bye,
        }  # fmt: skip

    # -- the loop ---------------------------------------------------------------------------

    def serve(self) -> int:
        """Until the host leaves, falls silent or a signal comes; then everything goes back."""
        wake_here, wake_there = os.pipe()
        for fd in (wake_here, wake_there, 1):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake_there)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        pending = b""
        while not self.ending:
            self._beat()
            pipes = {job.process.stdout.fileno(): job for job in self.jobs.values() if not job.done}
            readers = [0, wake_here] + list(pipes)
            writers = [1] if self.out else []
            ready, free, _ = select.select(readers, writers, [], self._patience_s())
            if wake_here in ready:
                os.read(wake_here, 512)
            for fd in ready:
                if fd in pipes:
                    pipes[fd].hear()
            if free:
                self._flush()
            if 0 in ready:
                pending = self._take(pending)
            self._watch()
        return self._end()

    def _patience_s(self) -> float:
        if self.recording_s:
            return min(0.2, max(self.due_s - now_s(), 0.0))
        return 0.2

    def _take(self, pending: bytes) -> bytes:
        """Answer the lines that have come; what is left of the last one."""
        try:
            data = os.read(0, 1 << 16)
        except OSError as error:
            self.ending = "the link broke: %s" % said(error)
            return b""
        if not data:
            self.ending = "the host closed the link"
            return b""
        self.heard_s = now_s()
        *lines, rest = (pending + data).split(b"\n")
        for line in lines:
            self._answer(line)
        if len(rest) > LINE_BYTES:
            self._send({"id": None, "error": "a line of more than 1 MB", "kind": "value"})
            rest = b""
        return rest

    def _answer(self, line: bytes) -> None:
        ident = None
        try:
            if len(line) > LINE_BYTES:
                raise Refused("a line of more than 1 MB")
            message = json.loads(line.decode("utf-8"), parse_constant=_no_constant)
            if not isinstance(message, dict):
                raise Refused("a message is an object")
            ident = message.get("id")
            if not (ident is None or isinstance(ident, (int, str))) or len(str(ident)) > 64:
                ident = None
                raise Refused("an id is a number or a short text")
            verb = message.get("verb")
            if not isinstance(verb, str) or verb not in self.verbs:
                raise Refused("no verb %s; known: %s" % (repr(verb)[:40], ", ".join(self.verbs)))
            answer = {"id": ident, "ok": self.verbs[verb](message)}
        except Refused as error:
            answer = {"id": ident, "error": str(error), "kind": error.kind}
        except OSError as error:
            text = "%s: %s" % (error.filename or "a file", said(error))
            answer = {"id": ident, "error": text, "kind": "io"}
        except Exception as error:
            text = "%s: %s" % (type(error).__name__, said(error))
            answer = {"id": ident, "error": text, "kind": "value"}
        self._send(answer)

    def _send(self, message: Message) -> None:
        self.out += json.dumps(message).encode("ascii") + b"\n"
        if len(self.out) > 64 * LINE_BYTES:
            self.ending = self.ending or "the host reads nothing"
        self._flush()

    def _flush(self) -> None:
        try:
            while self.out:
                self.out = self.out[os.write(1, self.out) :]
        except BlockingIOError:
            return
        except OSError:
            self.out = b""
            self.ending = self.ending or "the link broke"

    def _on_signal(self, number: int, _frame: Any) -> None:
        self.ending = self.ending or "signal %d" % number

    def _beat(self) -> None:
        if now_s() - self.beat_s > 0.1:
            self._tell_guardian(b"B\n")

    def _tell_guardian(self, line: bytes) -> None:
        self.beat_s = now_s()
        if self.guardian < 0:
            return
        try:
            os.write(self.guardian, line)
        except OSError:
            if self.held and not self.ending:
                self.ending = "the guardian is gone"

    def _watch(self) -> None:
        """What may end a session: silence, time, blindness; and the next recorded sample."""
        at_s = now_s()
        if self.sampler:
            self.sampler.replace()
        if self.recording_s and at_s >= self.due_s:
            self.due_s = max(self.due_s + self.recording_s / self.scale, at_s)
            self.recorded = self.recorded[-4095:] + [self._reading()]
        if not self.held:
            if at_s - self.heard_s > 600.0:
                self.ending = "no word from the host for 10 min"
            return
        if at_s - self.heard_s > self.deadman_s:
            self.ending = "no word from the host for %.1f s" % self.deadman_s
        elif at_s - self.held_since_s > self.longest_s:
            self.ending = "the session reached its longest time, %.0f s" % self.longest_s

    def _end(self) -> int:
        """Stop the jobs, put everything back, say so."""
        wrong = self._give_back(5.0)
        self._send({"event": "end", "why": self.ending, "wrong": wrong})
        until_s = now_s() + 0.5
        while self.out and now_s() < until_s:
            select.select([], [1], [], 0.1)
            self._flush()
        if wrong:
            log("%s; still wrong: %s" % (self.ending, "; ".join(wrong)))
            return 1  # the guardian goes on trying
        self._tell_guardian(b"D\n")
        return 0

    def _give_back(self, for_s: float) -> List[str]:
        for name in list(self.jobs):
            self.jobs.pop(name).stop()
        with self.writing:
            wrong = self._put_back(for_s) if self.held else []
            if not wrong:
                self.held = False
                self.pinned = {}
                if self.lock_fd >= 0:  # else it is the journal of somebody who drives the board
                    self.journal.clear()
                self._keep()
        return wrong

    def _put_back(self, for_s: float) -> List[str]:
        """As `keep_putting_back`, and the guardian hears of it."""
        until_s = now_s() + for_s
        while True:
            wrong = put_back(self.files, self.groups)
            self._beat()
            if not wrong or now_s() > until_s:
                return wrong
            time.sleep(0.1)

    # -- holding the board -------------------------------------------------------------------

    def _lock(self) -> None:
        """One host at a time: a lock that ends with this process and its guardian."""
        if self.lock_fd >= 0:
            return
        folder = "/sys/devices/system/cpu"
        fd = os.open(self.files.base + folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                kept = self.journal.read() or {}
                by = "by process %s" % kept["pid"] if "pid" in kept else "by another session"
                raise Refused("the board is being driven %s" % by, "busy")
            raise
        self.lock_fd = fd

    def _recover(self) -> Optional[Message]:
        """Put back what a session left that died with its guardian."""
        kept = self.journal.read()
        if kept is None:
            return None
        groups = kept.get("groups", [])
        kill_jobs(kept.get("jobs", []))
        wrong = keep_putting_back(self.files, groups, 5.0)
        if wrong:
            raise Refused("a session died here and %s" % "; ".join(wrong), "io")
        self.journal.clear()
        return {"files": sum(len(g["plain"]) + (2 if g.get("range") else 0) for g in groups)}

    def _hold(self) -> None:
        """Before the first write: lock, keep what is found, tell the guardian."""
        device = self._device()
        if self.held:
            return
        self._take_over()
        if self._guardian_is_gone():
            raise Refused("the guardian is gone; start again", "safety")
        if not self.groups:
            found = [clock.snapshot(self.files) for clock in device.clocks.values()]
            found.append(device.fan.snapshot(self.files) if device.fan else None)
            self.groups = [group for group in found if group]
        self.journal.write(self.groups, [])
        self.held, self.held_since_s, self.heard_s = True, now_s(), now_s()
        self._keep()

    def _guardian_is_gone(self) -> bool:
        """True when nobody would put things back after us."""
        poll = select.poll()
        poll.register(self.guardian, 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))

    def _take_over(self) -> None:
        if self.lock_fd < 0:
            self._lock()
            self._recover()
            # It inherits the lock, and with it the right to write as long as it may have to.
            self.guardian = start_guardian(self.files, self.journal)

    def _keep(self) -> None:
        """The guardian, and the disk while something is held, know what there is to put back."""
        jobs = [[job.process.pid, job.ticks] for job in self.jobs.values()]
        groups = self.groups if self.held else []
        if self.held:
            self.journal.write(groups, jobs)
        kept = {"groups": groups, "jobs": jobs, "held": self.held}
        self._tell_guardian(b"S" + json.dumps(kept).encode("ascii") + b"\n")

    def _device(self) -> Device:
        if self.device is None:
            raise Refused("describe the board first")
        return self.device

    # -- verbs ------------------------------------------------------------------------------

    def do_ping(self, _message: Message) -> Message:
        """The host lives."""
        return {}

    def do_bye(self, _message: Message) -> Message:
        """The host leaves."""
        self.ending = "the host said good-bye"
        return {}

    def do_describe(self, message: Message) -> Message:
        """Bind to the one board of this session; say what of it is here."""
        shared = [p for p in message.get("protocols", []) if p in PROTOCOLS]
        if not shared:
            raise Refused("no protocol in common; this agent speaks %s" % PROTOCOLS)
        spec = _need(message, "spec", dict)
        if self.spec is not None and spec != self.spec:
            raise Refused("this session is bound to one board and it has another", "safety")
        if self.spec is None:
            self._bind(spec)
        device = self._device()
        recovered = self._recover_now()
        more = {"inventory": self._inventory()} if message.get("inventory") is True else {}
        return dict(
            device.describe(), **more, protocol=max(shared), agent=os.getpid(),
            virtual=bool(self.tree), time_scale=self.scale, recovered=recovered, uid=os.getuid(),
            root=self.files.root, python=platform.python_version(), kernel=platform.release(),
            model=self._model(), cpus=sorted(os.sched_getaffinity(0)),
            stat=bool(self.sampler and self.sampler.stat), counters=sorted(self._counters()),
            state=self.journal.folder,
        )  # fmt: skip

    def _inventory(self) -> Message:
        """What a machine has that nobody described: cores, clocks of the first one, zones."""
        folder = "/sys/devices/system/cpu/cpu0/cpufreq/"
        khz = []  # type: List[float]
        for names in (["scaling_available_frequencies"], ["cpuinfo_min_freq", "cpuinfo_max_freq"]):
            for name in names if not khz else []:
                try:
                    khz += [number_in(word) for word in self.files.data(folder + name).split()]
                except (OSError, ValueError, Refused):
                    continue
        zones = []  # type: List[str]
        for path in self.files.find_all(["/sys/class/thermal/thermal_zone*/type"]):
            try:
                zones.append(self.files.text(path)[:64])
            except (OSError, Refused):
                continue
        cpus = self.files.find_all(["/sys/devices/system/cpu/cpu[0-9]*"])
        return {"cpus": max(len(cpus), 1), "khz": khz, "zones": zones}

    def _counters(self) -> List[str]:
        counters = Counters(os.getpid())
        names = list(counters.fds)
        counters.close()
        return names

    def _recover_now(self) -> Optional[Message]:
        """Put back what a dead session left, at once, unless a living one holds the board."""
        if self.held or self.dry or self.journal.read() is None:
            return None
        before = self.lock_fd
        try:
            self._lock()
        except (Refused, OSError):
            return None
        try:
            return self._recover()
        finally:
            if before < 0:
                os.close(self.lock_fd)
                self.lock_fd = -1

    def _bind(self, spec: Message) -> None:
        self.tree, self.scale = self._virtual()
        device = Device(spec, self.files)
        self.deadman_s = _within(spec, "deadman_s", 0.5, 120.0, 5.0)
        self.longest_s = _within(spec, "longest_s", 1.0, 7 * 86400.0, 3600.0)
        self.dry = spec.get("dry_run") is True
        stat = bool(device.cpus) and os.path.exists(self.files.base + "/proc/stat")
        sampler = Sampler(self.files, device.channels, stat, self.scale, device.input)
        limits_c = device.limits_c
        self.zones = [
            (c, limits_c.get(c.name, HOTTEST_C)) for c in device.channels if c.kind == "zone"
        ]
        sampler.after = self._supervise
        self.spec, self.device, self.sampler = spec, device, sampler
        sampler.start()
        sampler.refresh()

    def _virtual(self) -> Tuple[str, float]:
        """The file behind which work is simulated and the time scale, on a virtual board."""
        if not self.files.base:
            return "", 1.0
        try:
            scale = float(self.files.text("/edgetwin/time_scale"))
        except (OSError, ValueError, Refused):
            return "", 1.0
        jobs = self.files.base + "/edgetwin/jobs"
        return (jobs if os.path.exists(jobs) else ""), min(max(scale, 1e-3), 1e4)

    def _model(self) -> str:
        for path in ("/proc/device-tree/model", "/sys/devices/virtual/dmi/id/product_name"):
            try:
                return self.files.text(path).strip("\0 \n")[:80]
            except (OSError, Refused):
                continue
        return ""

    def do_read(self, message: Message) -> Message:
        """What the sensors say now, and what was recorded since the last read."""
        device, sampler = self._device(), self.sampler
        assert sampler and device
        sampler.refresh()
        reading = self._reading()
        if self.recorded:
            reading["batch"], self.recorded = self.recorded, []
        return reading

    def _reading(self) -> Message:
        device, sampler, at_s = self._device(), self.sampler, now_s()
        assert sampler
        values = {}  # type: Dict[str, Dict[str, Optional[float]]]
        faults, suspect = {}, []  # type: Dict[str, str], List[str]
        oldest_s = 0.0
        for channel in device.channels:
            value = channel.fresh(at_s)
            values.setdefault(channel.kind, {})[channel.name] = value
            if value is None:
                faults["%s.%s" % (channel.kind, channel.name)] = channel.why(at_s)
            else:
                oldest_s = max(oldest_s, at_s - channel.at_s)
            if channel.kind == "rail" and at_s - channel.same_since_s > 30.0:
                suspect.append(channel.name)  # power flickers in its last digit: it may be stuck
        return {
            "t_s": (at_s - self.zero_s) * self.scale,
            "values": values,
            "energy_j": sampler.energy_j if sampler.input and sampler.energy_known else None,
            "busy": self._shares(sampler),
            "jobs": {name: job.reading() for name, job in self.jobs.items()},
            "faults": faults, "suspect": suspect, "oldest_s": oldest_s,
            "tripped": self.tripped, "trips": self.trips, "pinned": self.pinned, "held": self.held,
        }  # fmt: skip

    def _shares(self, sampler: Sampler) -> Dict[str, float]:
        """Utilisation of every core since the last reading."""
        for name, (busy, total) in sampler.jiffies.items():
            before, since = self.busy.get(name, (0, 0))
            if total > since:
                self.shares[name] = min(max((busy - before) / float(total - since), 0.0), 1.0)
                self.busy[name] = (busy, total)
        return {k: v for k, v in self.shares.items() if k in sampler.jiffies}

    def do_apply(self, message: Message) -> Message:
        """Turn knobs: {"clocks": {domain: {"hz": n} | {"governor": name} | {}}, "fan": level}."""
        device = self._device()
        clocks, fan = message.get("clocks", {}), message.get("fan")
        if not isinstance(clocks, dict):
            raise Refused("clocks is %r" % repr(clocks)[:60])
        for name in clocks:
            if name not in device.clocks or name == "fan":
                raise Refused("no clock %s" % repr(name)[:60])
        refused, wrote = {}, []  # type: Dict[str, str], List[List[str]]
        for name, wish in list(clocks.items()) + ([("fan", fan)] if fan is not None else []):
            try:
                wrote += self._turn_fan(fan) if name == "fan" else self._turn(name, wish)
            except Refused as error:
                refused[name] = str(error)
            except (OSError, ValueError) as error:
                refused[name] = self._io(error)
        return {"refused": refused, "wrote": wrote, "tripped": self.tripped}

    def _io(self, error: Exception) -> str:
        name = getattr(error, "filename", None)
        return "%s%s" % ("%s: " % name if name else "", said(error))

    def _turn(self, name: str, wish: Any) -> List[List[str]]:
        clock = self._device().clocks[name]
        if not isinstance(wish, dict):
            raise Refused("a wish for %s is an object" % name)
        if not clock.way:
            raise Refused(clock.why_not())
        if "hz" in wish:
            return self._pin(clock, clock.count_of(wish["hz"]))
        return self._govern(clock, wish.get("governor", clock.default))

    def _may_raise(self) -> None:
        """Clocks are only held by who can see how hot it gets."""
        if self.tripped:
            raise Refused(self.tripped, "safety")
        if not any(c.kind == "zone" for c in self._device().channels):
            raise Refused("no temperature can be read here: clocks are not held blindly", "safety")

    def _pin(self, clock: Clock, count: int) -> List[List[str]]:
        self._may_raise()
        if self.dry:
            return self._would(clock, count, count)
        with self.writing:
            self._hold()
            assert clock.found
            if count > clock.found[1]:
                top_hz = clock.found[1] * clock.per_count
                raise Refused("the board was found limited to %.0f Hz (power mode)" % top_hz)
            self._set(clock, count, count)
            if self.tripped:  # it came while we wrote
                self._lower()
                raise Refused(self.tripped, "safety")
            self.pinned[clock.name] = count
        return [[clock.low or clock.rate or "", str(count)]]

    def _would(self, clock: Clock, low: int, high: int) -> List[List[str]]:
        if clock.way == "range":
            return [[str(clock.low), str(low)], [str(clock.high), str(high)]]
        return [[p, "1"] for p in clock.switches] + [[str(clock.rate), str(high)]]

    def _set(self, clock: Clock, low: int, high: int) -> None:
        """Hold a clock within a range and read it back; OSError or Refused where it is not."""
        if clock.way == "range":
            assert clock.low and clock.high
            pairs = [(clock.low, str(low)), (clock.high, str(high))]
            self._put_range(clock, (clock.low, low), (clock.high, high))
        else:
            assert clock.rate
            pairs = [(path, "1") for path in clock.switches] + [(clock.rate, str(high))]
            for path, text in pairs:
                self._put(path, text)
        for path, text in pairs:
            if not reads_as(self.files, path, text):
                back = self.files.text(path)[:40]
                raise Refused("%s was set to %s and reads %s" % (path, text, back), "io")
        clock.highest = high

    def _put_range(self, clock: Clock, low: Tuple[str, int], high: Tuple[str, int]) -> None:
        highest, clock.highest = clock.highest, None
        try:
            if highest is not None:
                return put_range(self.files, low, high, highest)
        except OSError:
            pass  # somebody else has changed it: look first
        try:
            put_range(self.files, low, high)
        except OSError as error:
            raise Refused("%s or %s: %s" % (low[0], high[0], said(error)), "io")

    def _put(self, path: str, text: str) -> None:
        try:
            self.files.put(path, text)
        except OSError as error:
            raise Refused("%s: %s" % (path, said(error)), "io")

    def _govern(self, clock: Clock, governor: Any) -> List[List[str]]:
        """Give a clock to a governor of the device, or to what was found."""
        if not isinstance(governor, str) or not _GOVERNOR.match(governor.replace("-", "_")):
            raise Refused("%r is no governor" % repr(governor)[:40])
        self._may_raise()
        edges = {"performance": clock.offered[-1], "powersave": clock.offered[0]}
        if clock.way == "rate" or governor not in clock.governors:
            if governor in edges:
                if clock.way == "range" and not self.dry:
                    self._hold()
                    assert clock.found
                    return self._pin(clock, min(edges[governor], clock.found[1]))
                return self._pin(clock, edges[governor])
            if governor == "userspace":
                return []  # it stays where it is
            if governor != clock.default:
                there = ", ".join(clock.governors) or "none by name"
                raise Refused(
                    "%s has no governor %s here; it has %s" % (clock.name, governor, there)
                )
        if self.dry:
            return [[str(clock.governor), governor]]
        with self.writing:
            self._hold()
            return self._release(clock, governor)

    def _release(self, clock: Clock, governor: str) -> List[List[str]]:
        assert clock.found
        if clock.way == "rate":
            group = next(g for g in self.groups if g.get("rate") == clock.rate)
            wrong = put_back(self.files, [group])
            if wrong:
                raise Refused("; ".join(wrong), "io")
        else:
            self._set(clock, *clock.found)
            name = governor if governor in clock.governors else clock.found_governor
            if clock.governor and name and self.files.may_write(clock.governor):
                path = clock.governor
                self._put(path, name)
                if self.files.text(path) != name:
                    raise Refused("%s does not take %s" % (path, name), "io")
        self.pinned.pop(clock.name, None)
        return [[clock.governor or clock.rate or "", governor]]

    def _turn_fan(self, level: Any) -> List[List[str]]:
        fan = self._device().fan
        if fan is None or not fan.way or fan.target is None:
            raise Refused("the fan cannot be set on this device")
        if isinstance(level, bool) or not isinstance(level, int) or not -1 <= level < len(fan.pwm):
            raise Refused("the fan has no level %s" % repr(level)[:30])
        value = level if fan.counts_levels else fan.pwm[max(level, 0)]
        if self.dry:
            return [[fan.target, str(value)]]
        with self.writing:
            self._hold()
            if level < 0:
                group = next(g for g in self.groups if g["plain"][0][0] == fan.target)
                wrong = put_back(self.files, [group])
                if wrong:
                    raise Refused("; ".join(wrong), "io")
                return [list(pair) for pair in group["plain"]]
            self._put_fan(fan, value)
        return [[fan.target, str(value)]]

    def _put_fan(self, fan: Fan, value: int) -> None:
        assert fan.target
        target = fan.target
        if self.files.may_write(fan.by_hand) and fan.by_hand:
            by_hand = fan.by_hand
            self._put(by_hand, "1")
        self._put(target, str(value))
        if not reads_as(self.files, target, str(value)):
            raise Refused("%s was set to %d and reads %s"
                          % (target, value, self.files.text(target)[:20]), "io")  # fmt: skip

    # -- heat -------------------------------------------------------------------------------

    def _supervise(self, at_s: float) -> None:
        """After every sample: too hot, or blind, and the clocks go down at once."""
        hot, seen, cool = "", False, True
        for channel, limit_c in self.zones:
            value_c = channel.value
            if value_c is None or at_s - channel.at_s > STALE_S:
                continue
            seen = True
            cool = cool and value_c < limit_c - COOLER_K
            if value_c >= limit_c:
                hot = "%s is at %.1f degC, the limit is %.1f" % (channel.name, value_c, limit_c)
        if seen or not self.held:
            self.blind_since_s = None
        elif self.blind_since_s is None:
            self.blind_since_s = at_s
        elif at_s - self.blind_since_s > BLIND_S:
            hot = "no temperature could be read for %.0f s" % BLIND_S
        if hot and self.held and not self.tripped:
            self.tripped = "tripped: " + hot
            self.trips += 1
            self._lower()
        elif self.tripped and seen and cool:
            self.tripped = ""

    def _lower(self) -> None:
        """Every clock to its lowest, the fan to its highest; what fails is tried again."""
        device = self._device()
        with self.writing:
            for _ in range(3):
                wrong = self._lower_once(device)
                if not wrong:
                    return
            log("tripped, and not lowered: %s" % "; ".join(wrong))

    def _lower_once(self, device: Device) -> List[str]:
        wrong = []
        for clock in device.clocks.values():
            if clock.way:
                try:
                    lowest = clock.offered[0]
                    self._set(clock, lowest, lowest)
                    self.pinned[clock.name] = lowest
                except (OSError, ValueError, Refused) as error:
                    wrong.append("%s: %s" % (clock.name, said(error)))
        fan = device.fan
        if fan and fan.way:
            try:
                self._put_fan(fan, len(fan.pwm) - 1 if fan.counts_levels else fan.pwm[-1])
            except (OSError, Refused) as error:
                wrong.append("fan: %s" % said(error))
        return wrong

    # -- jobs -------------------------------------------------------------------------------

    def do_start(self, message: Message) -> Message:
        """Start a process: {"job": id, "unit": name, "command": [...] or "words": text}."""
        device = self._device()
        name, unit = message.get("job"), message.get("unit")
        if not isinstance(name, str) or not _NAME.match(name) or name in self.jobs:
            raise Refused("%s is no name for a new job" % repr(name)[:60])
        if len(self.jobs) >= 64:
            raise Refused("64 jobs run; stop one first")
        if not isinstance(unit, str):
            raise Refused("the unit of a job is a name")
        command, cpus = self._command(message), self._cpus(device, unit)
        if self.dry:
            return {"pid": 0, "command": command}
        self._hold()
        job = self._spawn(command, unit, cpus)
        self.jobs[name] = job
        try:
            self._keep()
        except OSError as error:
            self.jobs.pop(name).stop()
            raise Refused("a job that is not in the journal does not run: %s" % said(error), "io")
        return {"pid": job.process.pid}

    def _command(self, message: Message) -> List[str]:
        command = message.get("command")
        if command is not None:
            if not (isinstance(command, list) and command and len(command) < 256):
                raise Refused("a command is a list of words")
            if not all(isinstance(word, str) and "\0" not in word for word in command):
                raise Refused("a command is a list of words")
            return command
        words = message.get("words", "")
        if not isinstance(words, str) or len(words) > 65536 or "\0" in words:
            raise Refused("the words of a job are a text")
        if not self.tree and message.get("kind") not in ("application", "load"):
            raise Refused("a real board needs the command that does this job")
        period_s = max(0.02, 0.05 / self.scale)
        return [sys.executable, "-ISc", WORKER, self.tree, words, str(period_s)]

    def _cpus(self, device: Device, unit: str) -> Optional[List[int]]:
        """The cores a process may use; None where that is decided behind the tree."""
        if self.tree:
            return None
        if unit not in device.cpus:
            return None  # an accelerator's host process runs anywhere
        cpu = device.cpus[unit]
        if cpu not in os.sched_getaffinity(0):
            raise Refused("there is no core %d here for %s" % (cpu, unit))
        return [cpu]

    def _spawn(self, command: List[str], unit: str, cpus: Optional[List[int]]) -> Job:
        def settle() -> None:
            if cpus:
                os.sched_setaffinity(0, cpus)

        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                start_new_session=True, preexec_fn=settle,  # noqa: PLW1509  it makes one system call
                bufsize=0, cwd="/",
            )  # fmt: skip
        except OSError as error:
            raise Refused("%s does not start: %s" % (command[0][:80], said(error)), "io")
        assert process.stdin
        if not self.files.base:
            pen_in(process.pid)
        os.set_blocking(process.stdin.fileno(), False)
        return Job(process, unit, Counters(process.pid) if not self.tree else None, self.scale)

    def _job(self, message: Message) -> Job:
        name = message.get("job")
        if not isinstance(name, str) or name not in self.jobs:
            raise Refused("no job %s" % repr(name)[:60])
        return self.jobs[name]

    def do_migrate(self, message: Message) -> Message:
        """Move a job to a unit, or tell it another batch size."""
        device, job = self._device(), self._job(message)
        if "batch" in message:
            batch = message["batch"]
            if isinstance(batch, bool) or not isinstance(batch, int) or not 0 < batch < 10**6:
                raise Refused("%s is no batch size" % repr(batch)[:30])
            job.tell(json.dumps({"batch": batch}) if self.tree else "batch %d" % batch)
        if "unit" in message:
            unit = message["unit"]
            if not isinstance(unit, str) or not _NAME.match(unit):
                raise Refused("%s is no unit" % repr(unit)[:60])
            cpus = self._cpus(device, unit)
            if self.tree:
                job.tell(json.dumps({"unit": unit}))
            elif cpus:
                self._move(job.process.pid, cpus)
            job.unit = unit
        return {}

    def _move(self, pid: int, cpus: List[int]) -> None:
        try:
            threads = os.listdir("/proc/%d/task" % pid)
            for thread in threads:
                os.sched_setaffinity(int(thread), cpus)
        except OSError as error:
            raise Refused("cannot move process %d: %s" % (pid, said(error)), "io")

    def do_stop(self, message: Message) -> Message:
        """Stop a job; its last reading."""
        job = self._job(message)
        job.hear() if select.select([job.process.stdout], [], [], 0)[0] else None
        last = job.reading()
        self.jobs.pop(message["job"]).stop()
        if self.held:
            self._keep()
        return last

    def do_record(self, message: Message) -> Message:
        """Keep a reading every period_s board seconds (0: stop), given with the next read."""
        period_s = message.get("period_s", 0)
        if isinstance(period_s, bool) or not isinstance(period_s, (int, float)):
            raise Refused("period_s is %s" % repr(period_s)[:30])
        if not (period_s == 0 or SAMPLE_S <= period_s <= 3600):
            raise Refused("period_s is %r; give 0, or %g to 3600" % (period_s, SAMPLE_S))
        self._device()
        self.recording_s, self.due_s, self.recorded = float(period_s), now_s(), []
        return {}

    def do_restore(self, message: Message) -> Message:
        """Stop the jobs and put everything back; with zero, time and energy count from here."""
        wrong = self._give_back(2.0)
        if wrong:
            raise Refused("not put back: %s" % "; ".join(wrong), "io")
        sampler = self.sampler
        if message.get("zero") is True and sampler:
            sampler.refresh()
            sampler.zero()
            self.zero_s, self.recorded = now_s(), []
            self.trips = 1 if self.tripped else 0
        return {"tripped": self.tripped}


def _within(spec: Message, key: str, low: float, high: float, default: float) -> float:
    value = spec.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Refused("%s is %s" % (key, repr(value)[:30]))
    return float(min(max(value, low), high))


def _no_constant(name: str) -> None:
    raise Refused("%s is no number of a message" % name)


def _state_folder() -> str:
    if os.getuid() == 0:
        return "/run/edgetwin"
    return os.path.join(os.environ.get("XDG_RUNTIME_DIR", "/tmp"), "edgetwin-%d" % os.getuid())


def main(arguments: List[str]) -> int:
    """`--root DIR` moves every path below a folder, `--state DIR` is where the journal lies."""
    options = {"--root": "/", "--state": _state_folder()}
    for name, value in zip(arguments[::2], arguments[1::2]):
        if name not in options:
            log("no option %s; known: --root DIR, --state DIR" % name)
            return 2
        options[name] = value
    if not os.path.isdir(options["--root"]):
        log("--root %s is no folder" % options["--root"])
        return 2
    sys.setswitchinterval(0.0005)
    return Agent(options["--root"], options["--state"]).serve()

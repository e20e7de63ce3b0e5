"""cpufreq, devfreq and the EMC clock of a virtual board, as their drivers behave."""

import errno
from functools import partial
from typing import Final

from edgetwin.hardware.safety import patterns
from edgetwin.virtual.node import Node, Tree, refuse, shown, whole
from edgetwin.virtual.twin import DEVFREQ_GOVERNORS, Held
from hw_models.board_schema import Governor

_CPUFREQ: Final = ("performance", "powersave", "userspace", "ondemand", "schedutil")


def add_clocks(tree: Tree) -> None:
    """Every clock domain where the board file says that its files are."""
    for domain in tree.twin.board.clocks:
        read = patterns(tree.twin.board, f"{domain}.freq")
        low = patterns(tree.twin.board, f"{domain}.freq_min")
        if not read:
            continue
        if "cpufreq" in read[0]:
            _add_cpufreq(tree, domain, read[0].rpartition("/")[0])
        elif (
            low
            and low[0].rpartition("/")[0] == read[0].rpartition("/")[0]
            and "/debug/" not in (read[0])
        ):
            _add_devfreq(tree, domain, concrete(read[0].rpartition("/")[0]))
        elif "/debug/" in read[0]:
            _add_debug_clock(tree, domain, read[0])
        else:
            tree.show(concrete(read[0]), partial(_shown_hz, tree, domain))


def _shown_hz(tree: Tree, domain: str) -> str:
    return shown(round(tree.twin.hz(domain)))


def concrete(pattern: str) -> str:
    """One name that a pattern of a folder fits."""
    return pattern.replace("*mali*", "e82c0000.mali").replace("*ddr*", "ddr_devfreq").replace(
        "hwmon*", "hwmon3"
    )  # fmt: skip


class Range:
    """The range and governor of one clock, as counts of a driver."""

    def __init__(self, tree: Tree, domain: str, hz_per_count: int, names: dict[str, Governor]):
        self.twin = tree.twin
        self.domain = domain
        self.names = names
        table_hz = tree.twin.board.clocks[domain].freqs_hz.value
        self.counts = [round(hz / hz_per_count) for hz in table_hz]

    @property
    def held(self) -> Held:
        """What is written of the clock."""
        return self.twin.held[self.domain]

    def low(self) -> str:
        """scaling_min_freq, min_freq."""
        return shown(self.counts[self.held.low])

    def high(self) -> str:
        """scaling_max_freq, max_freq."""
        return shown(self.counts[self.held.high])

    def now(self) -> str:
        """scaling_cur_freq, cur_freq."""
        return shown(self.counts[self.twin.level(self.domain)])

    def table(self) -> str:
        """The table, with a blank behind each entry as drivers print it."""
        return "".join(f"{count} " for count in self.counts) + "\n"

    def set_low(self, text: str) -> None:
        """A lower limit above the upper one is refused."""
        level = self._level(text)
        if level > self.held.high:
            raise refuse(errno.EINVAL)
        self.held.low = level
        self.twin.hold(self.domain)

    def set_high(self, text: str) -> None:
        """An upper limit below the lower one is refused."""
        level = self._level(text)
        if level < self.held.low:
            raise refuse(errno.EINVAL)
        self.held.high = level
        self.twin.hold(self.domain)

    def _level(self, text: str) -> int:
        """The operating point at or below a count, as clamped limits come to act."""
        count = whole(text)
        if count < 0:
            raise refuse(errno.EINVAL)
        return max((i for i, known in enumerate(self.counts) if known <= count), default=0)

    def governor(self) -> str:
        """The governor that rules, in the driver's words."""
        return shown(next(k for k, v in self.names.items() if v == self.held.governor))

    def governors(self) -> str:
        """All that there are."""
        return " ".join(self.names) + " \n"

    def set_governor(self, text: str) -> None:
        """An unknown name is refused."""
        name = text.strip()
        if name not in self.names:
            raise refuse(errno.EINVAL)
        self.held.governor = self.names[name]
        self.held.speed = self.counts.index(whole(self.now()))
        self.twin.hold(self.domain)

    def speed(self) -> str:
        """scaling_setspeed tells a clock under the governor userspace only."""
        return self.now() if self.held.governor == "userspace" else "<unsupported>\n"

    def set_speed(self, text: str) -> None:
        """scaling_setspeed takes a clock under the governor userspace only."""
        if self.held.governor != "userspace":
            raise refuse(errno.EINVAL)
        self.held.speed = self._level(text)
        self.twin.hold(self.domain)


def _add_cpufreq(tree: Tree, domain: str, folder: str) -> None:
    board = tree.twin.board
    offered: dict[str, Governor] = {g: g for g in board.clocks[domain].governors if g in _CPUFREQ}
    clock = Range(tree, domain, 1000, offered)
    cores = [u.name.removeprefix("cpu") for u in board.unit_list if u.domain == domain]
    policy = f"/sys/devices/system/cpu/cpufreq/policy{cores[0]}"
    files = {
        "scaling_available_frequencies": clock.table,
        "scaling_available_governors": clock.governors,
        "scaling_cur_freq": clock.now,
        "cpuinfo_cur_freq": clock.now,
        "cpuinfo_min_freq": lambda: shown(clock.counts[0]),
        "cpuinfo_max_freq": lambda: shown(clock.counts[-1]),
        "affected_cpus": lambda: " ".join(cores) + "\n",
        "related_cpus": lambda: " ".join(cores) + "\n",
    }
    for name, read in files.items():
        tree.show(f"{policy}/{name}", read, mode=0o400 if name == "cpuinfo_cur_freq" else 0o444)
    for name, read, write in (
        ("scaling_min_freq", clock.low, clock.set_low),
        ("scaling_max_freq", clock.high, clock.set_high),
        ("scaling_governor", clock.governor, clock.set_governor),
        ("scaling_setspeed", clock.speed, clock.set_speed),
    ):
        tree.knob(f"{policy}/{name}", read, write)
    for core in cores:
        link = f"../cpufreq/policy{cores[0]}"
        tree.add(f"/sys/devices/system/cpu/cpu{core}/cpufreq", Node(link=link))
        if core != "0":
            tree.knob(f"/sys/devices/system/cpu/cpu{core}/online", lambda: "1\n", _stays_online)


def _stays_online(text: str) -> None:
    """Switching cores off changes the power mode; this board does not do that while it runs."""
    if whole(text) != 1:
        raise refuse(errno.EBUSY)


def _add_devfreq(tree: Tree, domain: str, folder: str) -> None:
    offered = tree.twin.board.clocks[domain].governors
    names = {DEVFREQ_GOVERNORS[g]: g for g in offered if g in DEVFREQ_GOVERNORS}
    clock = Range(tree, domain, 1, names)
    tree.show(f"{folder}/available_frequencies", clock.table)
    tree.show(f"{folder}/available_governors", clock.governors)
    tree.show(f"{folder}/cur_freq", clock.now)
    tree.show(f"{folder}/target_freq", clock.now)
    tree.knob(f"{folder}/min_freq", clock.low, clock.set_low)
    tree.knob(f"{folder}/max_freq", clock.high, clock.set_high)
    tree.knob(f"{folder}/governor", clock.governor, clock.set_governor)


def _add_debug_clock(tree: Tree, domain: str, path: str) -> None:
    """A clock of the boot processor: it follows its governor until it is locked at a rate."""
    board, twin = tree.twin.board, tree.twin
    clock = Range(tree, domain, 1, {})
    held = twin.held[domain]
    home = clock.held.governor

    def lock(text: str) -> None:
        if whole(text) not in (0, 1):
            raise refuse(errno.EINVAL)
        held.locked = whole(text) == 1
        held.governor = "userspace" if held.locked else home
        held.speed = clock.counts.index(whole(clock.now()))
        twin.hold(domain)

    def rate(text: str) -> None:
        count = whole(text)
        if count <= 0:
            raise refuse(errno.EINVAL)
        held.speed = next((i for i, c in enumerate(clock.counts) if c >= count), held.high)
        if held.locked:
            twin.hold(domain)

    def shows_rate() -> str:
        """The call to the boot processor returns when the clock has changed."""
        d = twin.sim.lowered.domains.index(domain)
        return shown(clock.counts[int(twin.sim.state[0]["target"][d])])

    tree.knob(path, shows_rate, rate, size_bytes=0)
    for key in ("lock", "state"):
        for pattern in patterns(board, f"{domain}.{key}"):
            acts = key == "lock" or not patterns(board, f"{domain}.lock")
            shows = (lambda: shown(int(held.locked))) if acts else (lambda: "1\n")
            tree.knob(pattern, shows, lock if acts else whole_only, size_bytes=0)
    for key, at in (("freq_min", 0), ("freq_max", -1)):
        for pattern in patterns(board, f"{domain}.{key}"):
            tree.show(pattern, partial(shown, clock.counts[at]), size_bytes=0)
    for pattern in patterns(board, f"{domain}.cap"):
        tree.knob(pattern, lambda: "0\n", whole_only)


def whole_only(text: str) -> None:
    """A switch that takes numbers and changes nothing here."""
    whole(text)

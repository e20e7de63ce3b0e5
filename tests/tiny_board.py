"""A made-up board with few parts, small enough that its equations can be solved by hand."""

import tomllib
from collections.abc import Mapping
from math import inf
from typing import Any

import numpy as np

from hw_models.board import Board
from hw_models.jobs import Application, ApplicationProfile, CorePhases, NetworkProfile, TrainingJob

TEXT = """
schema = 1
name = "tiny"
title = "Tiny: two clusters of two cores, a GPU, a memory and a fan"

[grades]
clocks = "D"
power = "D"
thermal = "D"
performance = "D"
sensors = "D"
limits = "D"
paths = "D"

[sources.made]
kind = "assumed"
title = "made up"
note = "round numbers that are easy to check by hand"

[clocks.little]
freqs_hz = { value = [0.5e9, 1.0e9, 1.5e9], std = 0.0, source = "made" }
volts_v = { value = [0.7, 0.8, 0.9], std = 0.0, source = "made" }
transition_s = { value = [3e-4, 3e-4, 3e-4], std = 0.0, source = "made" }
governor = "performance"

[clocks.big]
freqs_hz = { value = [0.5e9, 1.0e9, 1.5e9, 2.0e9], std = 0.0, source = "made" }
volts_v = { value = [0.7, 0.8, 0.9, 1.0], std = 0.0, source = "made" }
transition_s = { value = [0.0, 0.0, 0.0, 0.0], std = 0.0, source = "made" }
governor = "performance"

[clocks.gpu]
freqs_hz = { value = [0.2e9, 0.4e9, 0.8e9], std = 0.0, source = "made" }
volts_v = { value = [0.7, 0.8, 1.0], std = 0.0, source = "made" }
transition_s = { value = [1e-3, 1e-3, 1e-3], std = 0.0, source = "made" }
governor = "performance"

[clocks.mem]
freqs_hz = { value = [0.8e9, 1.6e9], std = 0.0, source = "made" }
volts_v = { value = [1.1, 1.1], std = 0.0, source = "made" }
transition_s = { value = [1e-3, 1e-3], std = 0.0, source = "made" }
governor = "performance"
governors = ["performance", "powersave", "userspace"]

[units.slow]
kind = "slow-core"
domain = "little"
members = ["little0", "little1"]
nodes = ["little", "little"]

[units.fast]
kind = "fast-core"
domain = "big"
members = ["big0", "big1"]
nodes = ["big", "big"]

[units.gpu]
kind = "gpu-core"
domain = "gpu"
members = ["gpu0"]
nodes = ["gpu"]
host = "little0"

[power.units.slow]
active_capacitance_f = { value = 1e-10, std = 0.0, source = "made" }
idle_capacitance_f = { value = 1e-11, std = 0.0, source = "made" }
leakage_w = { value = 0.02, std = 0.0, source = "made" }

[power.units.fast]
active_capacitance_f = { value = 4e-10, std = 0.0, source = "made" }
idle_capacitance_f = { value = 2e-11, std = 0.0, source = "made" }
leakage_w = { value = 0.08, std = 0.0, source = "made" }

[power.units.gpu]
active_capacitance_f = { value = 3e-9, std = 0.0, source = "made" }
idle_capacitance_f = { value = 1e-10, std = 0.0, source = "made" }
leakage_w = { value = 0.1, std = 0.0, source = "made" }

[power.domains.big]
node = "big"
active_capacitance_f = { value = 1e-10, std = 0.0, source = "made" }
idle_capacitance_f = { value = 3e-11, std = 0.0, source = "made" }
leakage_w = { value = 0.03, std = 0.0, source = "made" }

[power.memory]
domain = "mem"
node = "case"
idle_capacitance_f = { value = 5e-11, std = 0.0, source = "made" }
energy_j_per_byte = { value = 5e-11, std = 0.0, source = "made" }
leakage_w = { value = 0.02, std = 0.0, source = "made" }

[power.baseline.rest]
node = "base"
power_w = { value = 0.5, std = 0.0, source = "made" }

[power.leakage]
reference_c = { value = 25.0, std = 0.0, source = "made" }
volt_exponent = { value = 3.0, std = 0.0, source = "made" }
coefficients = { value = [0.02, 2e-4, 1.5e-6], std = 0.0, source = "made" }
valid_c = [0.0, 150.0]

[thermal]
nodes = ["little", "big", "gpu", "case", "base"]
capacity_j_per_k = { value = [0.05, 0.1, 0.2, 2.0, 20.0], std = 0.0, source = "made" }
ambient_c = { value = 25.0, std = 0.0, source = "made" }
links = [
{ between = ["little", "big"], conductance_w_per_k = { value = 0.1, std = 0.0, source = "made" } },
{ between = ["little", "case"], conductance_w_per_k = { value = 0.5, std = 0.0, source = "made" } },
{ between = ["big", "case"], conductance_w_per_k = { value = 0.4, std = 0.0, source = "made" } },
{ between = ["gpu", "case"], conductance_w_per_k = { value = 0.8, std = 0.0, source = "made" } },
{ between = ["case", "base"], conductance_w_per_k = { value = 0.6, std = 0.0, source = "made" } },
]
cooling = [
{ node = "case", conductance_w_per_k = { value = [0.02, 0.05, 0.1], std = 0.0, source = "made" } },
{ node = "base", conductance_w_per_k = { value = [0.1, 0.3, 0.6], std = 0.0, source = "made" } },
]

[performance]
ram_bytes = { value = 4e9, std = 0.0, source = "made" }
bandwidth_bytes_per_cycle = { value = 4.0, std = 0.0, source = "made" }
migration_s = { value = 0.005, std = 0.0, source = "made" }

[performance.cores.slow-core]
profile = "slow"
cycles_scale = { value = 1.0, std = 0.0, source = "made" }
stall_scale = { value = 1.0, std = 0.0, source = "made" }
stall_activity = { value = 0.5, std = 0.0, source = "made" }
corunner_stall = { value = 0.1, std = 0.0, source = "made" }
bandwidth_stall = { value = 1.0, std = 0.0, source = "made" }

[performance.cores.fast-core]
profile = "fast"
cycles_scale = { value = 1.0, std = 0.0, source = "made" }
stall_scale = { value = 1.0, std = 0.0, source = "made" }
stall_activity = { value = 0.5, std = 0.0, source = "made" }
corunner_stall = { value = 0.1, std = 0.0, source = "made" }
bandwidth_stall = { value = 1.0, std = 0.0, source = "made" }

[performance.accelerators.gpu-core]
flops_per_cycle = { value = 100.0, std = 0.0, source = "made" }
efficiency = { value = 0.5, std = 0.0, source = "made" }
half_flops_per_kernel = { value = 1e6, std = 0.0, source = "made" }
bytes_per_cycle = { value = 4.0, std = 0.0, source = "made" }
launch_cycles = { value = 1e4, std = 0.0, source = "made" }
overhead_s = { value = 1e-3, std = 0.0, source = "made" }
pnorm = { value = 2.0, std = 0.0, source = "made" }
stall_activity = { value = 0.5, std = 0.0, source = "made" }
forward_tokens = { value = [1.0, 100.0], std = 0.0, source = "made" }
forward_efficiency = { value = [0.1, 0.4], std = 0.0, source = "made" }

[sensors]
input_rail = "vdd_in"
l2d_counter = true

[sensors.zones.cpu]
node = "big"
resolution_k = { value = 0.0, std = 0.0, source = "made" }
period_s = { value = 0.05, std = 0.0, source = "made" }
noise_k = { value = 0.0, std = 0.0, source = "made" }
offset_k = { value = 0.0, std = 0.0, source = "made" }

[sensors.zones.skin]
node = "base"
resolution_k = { value = 0.5, std = 0.0, source = "made" }
period_s = { value = 1.0, std = 0.0, source = "made" }
noise_k = { value = 0.1, std = 0.0, source = "made" }
offset_k = { value = 2.0, std = 0.0, source = "made" }

[sensors.rails.vdd_in]
covers = ["everything"]
resolution_w = { value = 0.0, std = 0.0, source = "made" }
period_s = { value = 0.05, std = 0.0, source = "made" }
noise = { value = 0.0, std = 0.0, source = "made" }

[sensors.rails.vdd_cpu]
covers = ["little0", "little1", "big0", "big1", "big-shared"]
resolution_w = { value = 0.01, std = 0.0, source = "made" }
period_s = { value = 0.7, std = 0.0, source = "made" }
noise = { value = 0.01, std = 0.0, source = "made" }

[limits]
poll_s = { value = 0.05, std = 0.0, source = "made" }
control_period_s = { value = 0.05, std = 0.0, source = "made" }
trips = []

[limits.fan]
pwm = [0, 128, 255]
power_w = { value = [0.0, 0.1, 0.3], std = 0.0, source = "made" }
node = "base"

[modes.half]
source = "made"
max_freq_hz = { big = 1.1e9 }
online = ["little0", "little1", "big0", "gpu0"]

[paths."zone.cpu.temp"]
pattern = "/sys/class/thermal/thermal_zone0/temp"
source = "made"
"""

LITTLE, BIG, GPU = 0, 1, 2


def number(value: object) -> dict[str, object]:
    """A number as a board file gives it."""
    return {"value": value, "std": 0.0, "source": "made"}


def trip(
    kind: str,
    temp_c: float,
    *,
    zone: str = "cpu",
    hysteresis_k: float = 5.0,
    domains: tuple[str, ...] = (),
    fan_level: int = 0,
) -> dict[str, object]:
    """One entry of limits.trips."""
    return {
        "zone": zone,
        "kind": kind,
        "temp_c": number(temp_c),
        "hysteresis_k": number(hysteresis_k),
        "domains": domains,
        "fan_level": fan_level,
    }


def tiny_board(changes: Mapping[str, Any] | None = None, *, leakage: bool = True) -> Board:
    """The tiny board; `changes` maps places in the file ("limits.poll_s") to other values."""
    data = tomllib.loads(TEXT)
    if not leakage:
        changes = {**no_leakage(), **(changes or {})}
    for place, value in (changes or {}).items():
        *path, key = place.split(".")
        at: Any = data
        for step in path:
            at = at[step]
        is_number = isinstance(at.get(key), dict) and "source" in at[key]
        at[key] = number(value) if is_number else value
    return Board.model_validate(data)


def no_leakage() -> dict[str, float]:
    """Changes that switch leakage off."""
    parts = ("units.slow", "units.fast", "units.gpu", "domains.big", "memory")
    return {f"power.{part}.leakage_w": 0.0 for part in parts}


def program(
    *phase_insns: float,
    cycles: float | list[float] = 1.0,
    stall_s: float | list[float] = 0.0,
    l2d: float = 0.01,
    dram_bytes: float = 0.0,
    activity: float = 1.0,
    slow_factor: float = 2.0,
    name: str = "program",
) -> ApplicationProfile:
    """A program of these phases; a slow core needs slow_factor times the cycles of a fast one."""
    insns = np.array(phase_insns or (1e9,))
    ones = np.ones(len(insns))

    def on(factor: float) -> CorePhases:
        return CorePhases(
            cpi_cycles=ones * cycles * factor,
            stall_s=ones * stall_s,
            l2d_per_insn=ones * l2d,
            dram_bytes_per_insn=ones * dram_bytes,
            activity=ones * activity,
        )

    return ApplicationProfile(
        name=name,
        suite="made up",
        dataset="none",
        source="tests/tiny_board.py",
        phase_insns=insns,
        by_kind={"fast": on(1.0), "slow": on(slow_factor)},
        footprint_bytes=1e6,
    )


def application(
    profile: ApplicationProfile | None = None,
    *,
    instructions: float = inf,
    target_ips: float | None = None,
) -> Application:
    """A program to run, endless unless told otherwise."""
    return Application(
        profile=profile or program(), instructions=instructions, target_ips=target_ips
    )


def network(**changes: float) -> NetworkProfile:
    """A network with round counts."""
    counts = {
        "parameter_count": 1e6,
        "parameter_bytes": 4e6,
        "forward_flops": 1e8,
        "forward_bytes": 2e6,
        "forward_kernels": 50.0,
        "train_flops": 3e8,
        "train_bytes": 6e6,
        "train_kernels": 150.0,
        "step_bytes": 20e6,
        "saved_bytes": 1e6,
    }
    values: dict[str, Any] = counts | changes
    return NetworkProfile(name="net", source="tests/tiny_board.py", **values)


def training(samples: float = 1e6, batch: int = 8) -> TrainingJob:
    """Training that needs the same samples at batch 8 and twice as many at batch 64."""
    return TrainingJob(
        network=network(), batch=batch, samples_to_target={8: samples, 64: 2 * samples}
    )

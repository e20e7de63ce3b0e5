"""What the TX2 recipe says of its fits: notes of the sources, and the report."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration import report
from hw_models.accuracy import block_means
from hw_models.certificate import Certificate
from hw_models.certificate.evaluated import Evaluated
from hw_models.certificate.figures import block_errors_of, errors_of
from hw_models.certificate.model import Errors

Array = NDArray[np.float64]

POWER_NOTE: Final = (
    "Means over 20 s at the measured temperatures. GPU: in a loop busy times V^2 (C f + "
    "C_byte traffic), kernels one by one busy times V^2 f between C_kernel and C_stalled by the "
    "share of the memory's bandwidth; voltages are a floor of 0.8 V (by definition: "
    "capacitance and floor cannot be told apart) and a straight ramp. Memory and its "
    "controller: clock and traffic, with 1866 MHz at a higher voltage. CPU clocks never "
    "changed: the split of its power over clock, voltage and leakage is assumed, as is all "
    "of Denver."
)
HEAT_NOTE: Final = (
    "Blocks of GPU and CPU with the middle of the die between them, on one heat spreader; "
    "ambient and start estimated per run. Conductance of the spreader still and at the first "
    "fan level; the levels above are assumed."
)
_INPUT: Final = "power_w.vdd_in"


def figures_of(
    blocks: Mapping[str, Errors], zones: Mapping[str, Mapping[str, Errors]]
) -> tuple[dict[str, float | str], dict[str, float | str]]:
    """The held-out figures that the sources of power and heat carry."""
    power = blocks[_INPUT]
    worst = max((rows["all"] for name, rows in zones.items() if name.startswith("temps_c.")),
                key=lambda row: row.mae)  # fmt: skip
    return (
        {"split": "blocks of 640 s", "mape": _share(power.mape), "nmbe": _share(power.nmbe)},
        {"split": "blocks of 640 s", "mae_k": round(worst.mae, 3), "p95_k": round(worst.p95, 3)},
    )


def _share(share: float | None) -> float:
    return round(share or 0.0, 4)


def page(certificate: Certificate, held: Sequence[Evaluated]) -> str:
    """The report: held-out figures by block, by load and by signal, parameters, findings."""
    zones = {name: rows["all"] for name, rows in errors_of(held).items() if "temps_c" in name}
    return report.page(
        "Jetson TX2: how its board file was fitted",
        {
            "Held out: power in means over 20 s": report.errors(block_errors_of(held))
            + "\n\n" + by_block(held),
            "Where the error of VDD_IN is": _WHY + "\n\n" + by_load(held),
            "Held out: temperatures, open loop": report.errors(zones),
            "Fitted on the whole trace": report.errors(certificate.blocks["fitted"])
            + "\n\n"
            + report.errors({k: v["all"] for k, v in certificate.errors["fitted"].items()
                             if "temps_c" in k}),
            "Parameters": report.parameters(certificate),
            "What the data cannot tell": report.findings(certificate),
            "Grade": f"{certificate.grade}: {certificate.reason}.",
        },
    )  # fmt: skip


_WHY: Final = (
    "A GPU that reads 99 % busy draws a fifth to all of its power, by what it does, and the log "
    "does not say what that is. Two things tell: a load that stays full for 40 s is one loop, one "
    "that breaks every few seconds is TensorRT timing kernels for an engine; and of such kernels "
    "those that wait for memory fill its bandwidth (53 to 64 % of the peak) and draw little, those "
    "that wait for arithmetic do not and draw much. An earlier form had one law for both (C f + "
    "C_byte traffic): 4.5 % off on these blocks, up to 50 % where fully connected layers are "
    "timed, as near full bandwidth a loop draws three to four times what such a kernel does. "
    "Whether a load is a loop is judged from its course to both sides, also beyond a held-out "
    "block; measured power never is an input. The form was chosen on this trace, by its residuals, "
    "and is not blind. What is left of engine building: 20 instantaneous loads of 0 or 99 % say "
    "the mean to a tenth, and which cores work is not in this log (Denver or A57: 0.4 W)."
)


def by_block(held: Sequence[Evaluated]) -> str:
    """Input power and the worst zone, block by block."""
    rows = []
    for run in held:
        power, zones = block_errors_of([run])[_INPUT], errors_of([run])
        worst = max(rows["all"].mae for name, rows in zones.items() if "temps_c" in name)
        tail = max(rows["all"].p95 for name, rows in zones.items() if "temps_c" in name)
        fan = ",".join(map(str, np.unique(run.run.recorded.fan).tolist()))
        rows.append([run.run.name.rsplit("-", 2)[-2], fan, report.percent(power.mape),
                     report.percent(power.nmbe), worst, tail, run.ambient_c])  # fmt: skip
    return report.table(
        ["from s", "fan", "MAPE %", "NMBE %", "worst zone MAE K", "P95 K", "ambient degC"], rows
    )


def by_load(held: Sequence[Evaluated]) -> str:
    """Input power by what the GPU does in a block of 20 s."""
    table = steadiness(held)
    rows = [
        [name, int(mask.sum()), 100.0 * np.abs(table["error"][mask]).mean(),
         100.0 * table["error"][mask].mean()]
        for name, mask in _kinds(table["busy"], table["loop"])
        if mask.any()
    ]  # fmt: skip
    return report.table(["GPU load", "blocks", "MAPE %", "mean error %"], rows)


def steadiness(held: Sequence[Evaluated]) -> dict[str, Array]:
    """Relative error of the input power, GPU load and share of loops of every block of 20 s."""
    parts = []
    for run in held:
        seen = run.run.recorded
        said, real, busy, loop = block_means(
            seen.t_s,
            [
                run.predicted[_INPUT],
                run.measured[_INPUT],
                seen.busy[:, -1],
                seen.loop[:, -1],
            ],
        )
        parts.append((said / real - 1.0, busy, loop))
    error, busy, loop = (np.concatenate(column) for column in zip(*parts, strict=True))
    return {"error": error, "busy": busy, "loop": loop}


def _kinds(busy: Array, loop: Array) -> Iterable[tuple[str, NDArray[np.bool_]]]:
    yield "a loop", loop > 0.5
    yield "rest", busy < 0.05
    yield "kernels one by one", (loop <= 0.5) & (busy >= 0.05)

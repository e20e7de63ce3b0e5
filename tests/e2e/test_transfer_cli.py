"""`edgetwin transfer` from the command line: what it prints and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest

from edgetwin.cli import main
from hw_models.fit.grid_model import ln_grid

TYPICAL = np.log(
    [10.0, 8.0, 16.0, 2.5, 0.1, 0.1, 0.1, 40.0, 220.0, 20.0, 1.7, 0.25, 1.0, 0.15, 5.0]
)


def latency(folder: Path, names: tuple[str, ...] = ("a",), points: int = 12) -> Path:
    """Networks on the clocks of a Jetson TX2, each with its own cycles."""
    lines = ["network,gpu_hz,emc_hz,latency_s"]
    for i, name in enumerate(names):
        cells = [(g, e) for g in (114.75e6, 522.75e6, 930.75e6, 1300.5e6)
                 for e in (1062.4e6, 1600e6, 1866e6)]  # fmt: skip
        for g, e in cells[:points]:
            s = ((3e7 * (1 + i) / g) ** 3 + (2e7 / e) ** 3) ** (1 / 3) + 1e-3
            lines.append(f"{name},{g},{e},{s}")
    path = folder / "latency.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def steps(folder: Path) -> Path:
    lines = ["network,batch,gpu_hz,emc_hz,step_s,mean_w,peak_w"]
    for batch in (1, 8, 32):
        for g in (318.75e6, 1300.5e6):
            for e in (1062.4e6, 1866e6):
                busy_s = ((4e7 * batch / g) ** 2 + (2e7 * batch / e) ** 2) ** 0.5
                watts = 3 + 4 * g / 1.3e9
                lines.append(f"mine,{batch},{g},{e},{busy_s + 0.004},{watts},{watts * 1.1}")
    path = folder / "steps.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def grid(folder: Path, name: str, slower: float, network: str = "n") -> Path:
    batch, limit = (a.ravel() for a in np.meshgrid([8.0, 32, 128, 512], [100.0, 150, 200, 250]))
    time, power = np.exp(ln_grid(TYPICAL, batch, limit, True, np.array([512.0, 250.0])))
    head = "dataset,network,batch_size,optimizer,power_limit,time_per_epoch,average_power"
    rows = [
        f"d,{network},{b:g},o,{x:g},{slower * t},{p}"
        for b, x, t, p in zip(batch, limit, time, power, strict=True)
    ]
    path = folder / name
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def ran(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["transfer", *arguments])
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def test_json_has_the_curve_and_every_operating_point_of_the_board(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = latency(tmp_path)
    arguments = ["--from", "jetson-tx2", "--points", "5", "--seeds", "2", "--json", str(table)]
    code, out, _ = ran(arguments, capsys)
    found = json.loads(out)
    assert code == 0
    assert (found["board"], found["points"]) == ("jetson-tx2", 5)
    assert {p["method"] for p in found["curve"]} == {"twin", "powertrain", "interpolation"}
    assert {p["k"] for p in found["curve"]} == {2, 4, 5}
    assert len(found["predictions"]) == 13 * 5
    assert sum(p["profiled"] for p in found["predictions"]) == 5
    last = {p["method"]: p["mape"] for p in found["curve"] if p["k"] == 5}
    assert last["twin"] < 0.02 < last["interpolation"]
    known = [p for p in found["predictions"] if p["measured_latency_s"] is not None]
    assert len(known) == 12
    for point in known:
        assert point["latency_s"] == pytest.approx(point["measured_latency_s"], rel=0.05)


def test_a_table_without_points_to_spare_has_no_curve(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = latency(tmp_path, points=2)
    code, out, err = ran(["--from", "jetson-tx2", "--points", "8", str(table)], capsys)
    assert code == 0
    assert "no points are left to judge on" in err
    assert "a from 2 points" in out


def test_networks_are_carried_from_measured_siblings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = latency(tmp_path, ("a", "b", "c"))
    arguments = ["--from", str(table), "--points", "4", "--seeds", "1", "--json", str(table)]
    code, out, _ = ran(arguments, capsys)
    found = json.loads(out)
    assert code == 0
    assert {p["workload"] for p in found["predictions"]} == {"a", "b", "c"}


def test_steps_are_carried_from_a_board(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--from", "jetson-tx2", "--points", "6", "--seeds", "1", "--json"]
    code, out, _ = ran([*arguments, str(steps(tmp_path))], capsys)
    found = json.loads(out)
    assert code == 0
    assert {p["response"] for p in found["curve"]} == {"step_s", "mean_w", "peak_w"}
    twin = [p for p in found["curve"] if p["method"] == "twin" and p["k"] == 6]
    assert all(p["mape"] < 0.15 for p in twin)


def test_grids_are_carried_from_a_sibling_and_among_workloads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = grid(tmp_path, "one.csv", 1.0), grid(tmp_path, "two.csv", 2.0)
    options = ["--points", "6", "--seeds", "1", "--json"]
    code, out, _ = ran(["--from", str(source), *options, str(target)], capsys)
    curve = {p["method"]: p["mape"] for p in json.loads(out)["curve"] if p["k"] == 6}
    assert code == 0
    assert curve["twin"] < 0.05
    other = grid(tmp_path, "three.csv", 3.0, network="m")
    code, out, _ = ran(["--from", str(source), "--same-board", *options, str(other)], capsys)
    assert code == 0
    code, _, err = ran(["--from", str(source), *options, str(other)], capsys)
    assert code == 2
    assert "has no workload that" in err


@pytest.mark.parametrize(
    ("source", "text", "said"),
    [
        ("jetson-tx3", "network,gpu_hz,emc_hz,latency_s\na,1e9,1e9,0.1\n", "Did you mean"),
        ("jetson-tx2", "t_s,power_w\n1,2\n", "is no table to transfer to"),
        ("jetson-tx2", "network,gpu_hz,emc_hz,latency_s\na,1e9,1e9,nan\n", "line 2: latency_s"),
        ("jetson-tx2", "network,gpu_hz,emc_hz,latency_s\na,1e9,1e9,0.1\n", "transfer needs 2"),
        ("hikey960", None, "is no CSV; a grid"),
    ],
)
def test_what_cannot_be_carried_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, text: str | None, said: str
) -> None:
    table = tmp_path / "table.csv"
    if text is None:
        table = grid(tmp_path, "grid.csv", 1.0)
    else:
        table.write_text(text, encoding="utf-8")
    code, out, err = ran(["--from", source, str(table)], capsys)
    lines = [line for line in err.splitlines() if line.startswith("edgetwin:")]
    assert (code, out, len(lines)) == (2, "", 1)
    assert said in lines[0]


def test_a_missing_table_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = ran(["--from", "jetson-tx2", str(tmp_path / "none.csv")], capsys)
    assert code == 2
    assert "no table at" in err

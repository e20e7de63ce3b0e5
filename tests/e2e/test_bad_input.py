"""What people get wrong is answered by one line that names it, never by a traceback."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from tiny_board import TEXT as TINY

import edgetwin
from edgetwin import FunctionPolicy
from edgetwin.cli import USAGE, _run
from edgetwin.runs import RunFolder
from edgetwin.scenario import parse_scenario
from hw_models import (
    Application,
    ForwardJob,
    Knobs,
    Trace,
    load_application,
    load_board,
    load_network,
    read_trace,
)
from hw_models.board import parse_board
from hw_models.trace import require_finite

# -- files that are wrong, by name ------------------------------------------------------------

HEAD = 'name = "wrong"\ntitle = "made up"\n'
PLAIN = HEAD + "duration_s = 10\n"
APPLICATION = PLAIN + '[[jobs]]\nkind = "application"\ninstructions = 1e9\n'
TRAINING = PLAIN + '[[jobs]]\nkind = "training"\nnetwork = "resnet-18"\nbatch = 8\n'
FORWARD = PLAIN + '[[jobs]]\nkind = "forward"\nbatch = 1\npasses = 1\nsteps = 1\n'
LOAD = PLAIN + '[[jobs]]\nkind = "load"\nlifetime_s = 5\n'


def _board(old: str, new: str) -> str:
    """The tiny board with one thing wrong."""
    assert TINY.count(old) >= 1, old
    return TINY.replace(old, new, 1)


def _crowded() -> str:
    """The tiny board with twenty thermal nodes more, all in order."""
    names = [f"n{i}" for i in range(20)]
    quoted = "".join(f', "{name}"' for name in names)
    text = _board('"case", "base"]\ncap', f'"case", "base"{quoted}]\ncap')
    text = text.replace("2.0, 20.0]", "2.0, 20.0" + ", 1.0" * 20 + "]", 1)
    conductance = '{ value = 0.1, std = 0.0, source = "made" }'
    link = '{{ between = ["base", "{}"], conductance_w_per_k = {} }},\n'
    links = "".join(link.format(name, conductance) for name in names)
    return text.replace("links = [\n", "links = [\n" + links, 1)


BOARDS = {
    "syntax": "schema = 1\n[clocks\n",
    "negative": _board("value = [0.05, 0.1,", "value = [-0.05, 0.1,"),
    "grade": _board('power = "D"', 'power = "B"'),
    "no-such-grade": _board('power = "D"', 'power = "E"'),
    "source": _board('1e-10, std = 0.0, source = "made"', '1e-10, std = 0.0, source = "hearsay"'),
    "text": _board("reference_c = { value = 25.0", 'reference_c = { value = "warm"'),
    "nan": _board("reference_c = { value = 25.0", "reference_c = { value = nan"),
    "missing-key": _board("poll_s =", "# poll_s ="),
    "extra-key": _board("poll_s =", "pol_s = 1\npoll_s ="),
    "descending": _board("[0.2e9, 0.4e9, 0.8e9]", "[0.8e9, 0.4e9, 0.2e9]"),
    "domain": _board('domain = "little"', 'domain = "turbo"'),
    "nodes": _crowded(),
    "tiny": TINY,
}
SCENARIOS = {
    "idle": PLAIN,
    "s-syntax": PLAIN + "[[jobs]\n",
    "s-missing": HEAD,
    "s-duration": HEAD + "duration_s = -10\n",
    "s-text": HEAD + 'duration_s = "long"\n',
    "s-key": PLAIN + "ambent = 25\n",
    "s-nan": PLAIN + "ambient = nan\n",
    "s-cap": PLAIN + "cap = [{ t_s = 9, cap_w = 5 }, { t_s = 3, cap_w = 6 }]\n",
    "s-mode": PLAIN + 'mode = "maxq"\n',
    "s-zone": PLAIN + '[[faults]]\nkind = "sensor-stuck"\ntarget = "gpuu"\nat_s = 1\n',
    "s-clock": PLAIN + '[[faults]]\nkind = "clock-refused"\ntarget = "gqu"\nat_s = 1\n',
    "s-program": APPLICATION + 'program = "adii"\n',
    "s-dataset": APPLICATION + 'program = "adi"\ndataset = "small"\n',
    "s-unit": APPLICATION + 'program = "adi"\nunit = "cpu9"\n',
    "s-gpu": APPLICATION + 'program = "adi"\nunit = "gpu"\n',
    "s-targets": APPLICATION + 'program = "adi"\ntarget_ips = 1e9\ntarget_share = 0.5\n',
    "s-kind": PLAIN + '[[jobs]]\nkind = "aplication"\nprogram = "adi"\n',
    "s-network": FORWARD + 'network = "resnet18"\n',
    "s-batch": TRAINING + "samples_to_target = { 16 = 100 }\n",
    "s-knob": PLAIN + "[[knobs]]\nt_s = 0\nfreq_hz = { gpu = 1 }\n",
    "s-fan": PLAIN + "[[knobs]]\nt_s = 0\nfan = 9\n",
    "s-load": LOAD + 'unit = "cpu9"\n',
    "s-busy": LOAD + 'unit = "gpu"\nbusy = 1.5\n',
    "s-forever": PLAIN + '[arrivals]\nprocess = "poisson"\nrate_hz = 1\ninstructions = 1e9\n',
}
TABLES = {
    "no-time.csv": "time,temps_c.gpu\n0,30\n1,31\n",
    "backwards.csv": "t_s,temps_c.gpu\n0,30\n2,31\n1,32\n",
    "words.csv": "t_s,temps_c.gpu\n0,30\n1,warm\n",
    "ragged.csv": "t_s,temps_c.gpu\n0,30\n1\n",
    "column.csv": "t_s,volts\n0,30\n",
    "latency.csv": "network,gpu_hz,emc_hz,latency_s\nnet,1e9,1e9,-1\n",
    "clusters.csv": "core,freq_hz,opp_v,n_cpus,power_w\na53,1e9,0.8,1,0.5\n",
    "talk.log": "hello\nworld\n",
    "empty.log": "",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that is wrong, in one folder; the kernel is compiled, so that runs are quick."""
    here = tmp_path_factory.mktemp("wrong")
    for name, text in (BOARDS | SCENARIOS).items():
        (here / f"{name}.toml").write_text(text, encoding="utf-8")
    for name, text in TABLES.items():
        (here / name).write_text(text, encoding="utf-8")
    for name in ("latin.toml", "latin.csv"):
        (here / name).write_bytes(b"title = \xe4\xff\n")
    (here / "folder.toml").mkdir()
    (here / "folder").mkdir()
    backend = edgetwin.make_backend("sim", board="jetson-tx2", scenario="train-cap")
    trace = edgetwin.run(backend, lambda reading: Knobs(), duration_s=3.0).trace
    trace.to_parquet(here / "whole.parquet")
    minute = edgetwin.run(backend, lambda reading: Knobs(), duration_s=60.0).trace
    minute.to_parquet(here / "minute.parquet")
    (here / "marred").mkdir()
    (here / "marred" / "board.toml").write_text(TINY, encoding="utf-8")
    (here / "marred" / "certificate.json").write_text('{"schema": 1}', encoding="utf-8")
    whole = (here / "whole.parquet").read_bytes()
    (here / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    clocks = {name: values.copy() for name, values in trace.columns.items()}
    clocks["freq_hz.gpu"][1] = np.nan
    Trace(clocks).to_parquet(here / "gap.parquet")
    _run(["replay", str(here / "whole.parquet"), "--board", "jetson-tx2"])
    with RunFolder.create(here / "other", ["edgetwin"], {"task": "thermal", "seeds": [7]}):
        pass
    (here / "damaged").mkdir()
    (here / "damaged" / "run.json").write_text("{", encoding="utf-8")
    return here


# -- the command line: id | arguments | what the line must hold | ... ------------------------

SHORT = "--policies powersave --duration 1"
TX2_BOARD = "--board jetson-tx2"
CLI_CASES = f"""
unknown-command | bords | 'bords' | Did you mean 'boards'?
unknown-option | boards --josn | --josn | --json
option-without-value | run thermal --seeds | --seeds
surplus-argument | envs thermal | thermal
no-task | run | TASK
unknown-task | run thermel | task | 'thermel' | Did you mean 'thermal'?
unknown-board | boards --board tx2 | 'tx2' | Did you mean 'jetson-tx2'? | hikey970
unknown-board-run | run thermal --board hikey | 'hikey' | Did you mean 'hikey9
board-file-missing | boards --board none.toml | no board file at none.toml
board-file-is-a-folder | boards --board folder.toml | folder.toml
board-not-text | boards --board latin.toml | latin.toml is not UTF-8
board-not-toml | boards --board syntax.toml | syntax.toml is not TOML | line 2
board-negative-capacity | boards --board negative.toml | capacity_j_per_k | -0.05 | positive
board-grade-too-good | boards --board grade.toml | power claims grade B | made
board-no-such-grade | boards --board no-such-grade.toml | grades.power | 'D'
board-unknown-source | boards --board source.toml | 'hearsay' | [sources]
board-text-for-number | boards --board text.toml | reference_c.value | number
board-nan | boards --board nan.toml | reference_c.value | finite
board-missing-key | boards --board missing-key.toml | limits.poll_s | required
board-extra-key | boards --board extra-key.toml | limits.pol_s
board-descending-clocks | boards --board descending.toml | clocks.gpu.freqs_hz | ascend
board-unknown-domain | boards --board domain.toml | 'turbo' | clock domain
board-too-many-nodes | run thermal --board nodes.toml --scenario idle.toml {SHORT} | 25 nodes | 24
board-runs-no-program | run thermal --board tiny.toml {SHORT} | no core of tiny can run
unknown-scenario | run thermal --scenario mixed20 | 'mixed20' | Did you mean 'mixed-20'?
scenario-missing | run thermal --scenario none.toml | no scenario file at none.toml
scenario-is-a-folder | run thermal --scenario folder.toml | folder.toml
scenario-not-text | run thermal --scenario latin.toml | latin.toml is not UTF-8
scenario-not-toml | run thermal --scenario s-syntax.toml | s-syntax.toml is not TOML | line 4
scenario-missing-key | run thermal --scenario s-missing.toml | duration_s | required
scenario-negative | run thermal --scenario s-duration.toml | duration_s | -10
scenario-text | run thermal --scenario s-text.toml | duration_s | 'long'
scenario-unknown-key | run thermal --scenario s-key.toml | 'ambent' | Did you mean 'ambient'?
scenario-nan | run thermal --scenario s-nan.toml | ambient_c | finite | nan
scenario-cap-order | run thermal --scenario s-cap.toml | cap | 9, 3 | ascend
scenario-mode | run training --scenario s-mode.toml | 'maxq' | Did you mean 'MAXQ'?
scenario-zone | run training --scenario s-zone.toml | 'gpuu' | Did you mean 'gpu'?
scenario-clock | run training --scenario s-clock.toml | 'gqu' | Did you mean 'gpu'?
scenario-program | run thermal --scenario s-program.toml | 'adii' | Did you mean 'adi'?
scenario-dataset | run thermal --scenario s-dataset.toml | 'small' | Did you mean 'SMALL'?
scenario-unit | run thermal --scenario s-unit.toml | 'cpu9' | Did you mean 'cpu
scenario-wrong-unit | run thermal --scenario s-gpu.toml {SHORT} | gpu cannot run | cpu0
scenario-two-targets | run thermal --scenario s-targets.toml | jobs.0 | not both
scenario-job-kind | run thermal --scenario s-kind.toml | 'aplication' | 'application'
scenario-network | run thermal --scenario s-network.toml | 'resnet18' | Did you mean 'resnet-18'?
scenario-batch | run training --scenario s-batch.toml | batch 8 | 16
scenario-endless | run thermal --scenario s-forever.toml | arrivals | count
scenario-needs-a-fan | run thermal --board hikey960 | hikey960 | cooling
unknown-policy | run thermal --policies ondemnd | 'ondemnd' | Did you mean 'ondemand'?
policy-twice | run thermal --policies ondemand,ondemand | ondemand,ondemand | once
no-policy | run thermal --policies , | --policies ,
policy-of-another-task | run training --policies random-placement | random-placement | training
no-seeds | run thermal --seeds 0 | --seeds 0
negative-seed | run thermal --seed -1 | --seed -1
seeds-in-words | run thermal --seeds two | --seeds | 'two'
negative-duration | run thermal --duration -5 | --duration -5
no-duration | run thermal --duration 0 | --duration 0
duration-nan | run thermal --duration nan | --duration nan
duration-in-words | run thermal --duration ten | --duration | 'ten'
no-processes | run thermal --jobs 0 | jobs is 0
unknown-backend | run thermal --backend simm | 'simm' | Did you mean 'sim'?
recorded-backend | run thermal --backend replay | edgetwin replay
out-is-a-file | run thermal --out talk.log {SHORT} | talk.log is a file
out-below-a-file | run thermal --out talk.log/run {SHORT} | talk.log/run | not a directory
out-holds-another-run | run thermal --out other {SHORT} | other holds another run | --out
out-is-damaged | run thermal --out damaged {SHORT} | damaged | --out
replay-nothing | replay | LOG
replay-missing | replay none.log --board jetson-tx2 | none.log
replay-folder | replay folder --board jetson-tx2 | folder
replay-empty | replay empty.log --board jetson-tx2 | empty.log | empty
replay-no-log | replay talk.log --board jetson-tx2 | talk.log | tegrastats
replay-not-text | replay latin.csv --board jetson-tx2 | latin.csv
replay-truncated | replay cut.parquet --board jetson-tx2 | cut.parquet | truncated
replay-gap | replay gap.parquet --board jetson-tx2 | freq_hz.gpu | nan
replay-backwards | replay backwards.csv --board jetson-tx2 | row 2 | increasing
replay-words | replay words.csv --board jetson-tx2 | temps_c.gpu | 'warm'
replay-board | replay whole.parquet --board tx2 | 'tx2' | Did you mean 'jetson-tx2'?
sweep-no-out | sweep --policies powersave | --out
sweep-board | sweep --out o --boards hikey970,jetson-tx | 'jetson-tx' | Did you mean 'jetson-tx2
sweep-board-twice | sweep --out o --boards hikey970,hikey970 | --boards | each once
sweep-no-boards | sweep --out o --boards , | --boards , | at least one
sweep-scenario | sweep --out o --scenarios mixed | 'mixed' | 'mixed-20'
sweep-scenario-wrong-unit | sweep --out o --scenarios s-unit.toml | cpu9
sweep-policy | sweep --out o --policies powersave,qos | 'qos' | 'qos-dvfs'
sweep-seeds | sweep --out o --seeds 0 | --seeds 0 | at least one seed
sweep-seed | sweep --out o --seed -1 | --seed -1 | from 0
sweep-duration | sweep --out o --duration -1 | --duration -1.0 | positive
sweep-engine | sweep --out o3 --engine rya | 'rya' | 'ray'
sweep-jobs | sweep --out o2 --jobs 0 | jobs is 0 | -1
sweep-file | sweep --out empty.log | empty.log is a file
sweep-option | sweep --out o --board hikey970 | --board | --boards
replay-ambient | replay whole.parquet --board jetson-tx2 --ambient-c warm | 'warm'
record-nothing | record --board jetson-tx2 | nothing to record | --scenario
record-no-board | record --scenario idle.toml | --board
record-task | record thermel | 'thermel' | Did you mean 'thermal'?
record-backend | record training --backend simm | 'simm' | Did you mean 'sim'?
record-duration | record training --duration -1 | --duration -1
record-period | record training --period 0 | --period 0
record-seed | record training --seed -1 | --seed -1
record-out | record training --out trace.json | trace.json | .parquet
record-out-folder | record training --out none/trace.csv | none/trace.csv | no folder
record-knob | record --scenario s-knob.toml {TX2_BOARD} | knobs.0 | 1 Hz
record-fan | record --scenario s-fan.toml {TX2_BOARD} | knobs.0 | fan level 9
record-load | record --scenario s-load.toml {TX2_BOARD} | jobs.0 | 'cpu9'
record-busy | record --scenario s-busy.toml {TX2_BOARD} | busy | less than or equal to 1
record-replay | record --backend replay {TX2_BOARD} | --trace
record-replayed-task | record training --backend replay | has had its scenario
excite-no-board | excite | --board
excite-board | excite --board tx2 | 'tx2' | Did you mean 'jetson-tx2'?
excite-out | excite {TX2_BOARD} --out plan.json | plan.json | .toml
calibrate-nothing | calibrate {TX2_BOARD} --out cal | TRACES
calibrate-no-out | calibrate whole.parquet {TX2_BOARD} | --out
calibrate-missing | calibrate none.log {TX2_BOARD} --out cal | no data at none.log
calibrate-empty | calibrate empty.log {TX2_BOARD} --out cal | empty.log | empty
calibrate-no-log | calibrate talk.log {TX2_BOARD} --out cal | talk.log
calibrate-truncated | calibrate cut.parquet {TX2_BOARD} --out cal | cut.parquet | truncated
calibrate-short | calibrate whole.parquet {TX2_BOARD} --out cal | whole | 20 readings
calibrate-holdout | calibrate minute.parquet {TX2_BOARD} --out cal --holdout b | 'b' | minute
calibrate-all-held | calibrate minute.parquet {TX2_BOARD} --out c2 --holdout minute | held out
calibrate-seed | calibrate whole.parquet {TX2_BOARD} --out cal --seed -1 | --seed -1
calibrate-meter | calibrate minute.parquet {TX2_BOARD} --out cal --meter words.csv | words.csv
calibrate-mode | calibrate minute.parquet {TX2_BOARD} --out cal --mode MAXX | 'MAXX' | 'MAXQ'
calibrate-latency | calibrate latency.csv {TX2_BOARD} --out cal | latency.csv, line 2 | -1
calibrate-clusters | calibrate clusters.csv {TX2_BOARD} --out cal | cluster power | trace
calibrate-out | calibrate minute.parquet {TX2_BOARD} --out other | other holds another run | --out
validate-nothing | validate {TX2_BOARD} | TRACES
validate-uncertified | validate minute.parquet --board tiny.toml | tiny has no certificate
validate-damaged | validate minute.parquet --board marred/board.toml | certificate.json | board
"""
IN_A_PROCESS = ("unknown-board", "board-not-toml", "scenario-wrong-unit", "replay-truncated")


def _cases(*ids: str) -> list[Any]:
    """Rows of the table as (arguments, what the line must hold); all of them without ids."""
    rows = [re.split(r"\s+\|\s+", row) for row in CLI_CASES.strip().splitlines()]
    return [pytest.param(row[1], row[2:], id=row[0]) for row in rows if row[0] in (ids or row)]


def _check_line(error: str, fragments: list[str]) -> None:
    assert re.fullmatch(r"edgetwin: [^\n]+\n", error), error
    assert "Traceback" not in error
    for fragment in fragments:
        assert fragment in error, f"{fragment!r} is missing in {error!r}"


@pytest.mark.parametrize(("line", "fragments"), _cases())
def test_the_command_line_answers_in_one_line(
    line: str,
    fragments: list[str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    code = _run(shlex.split(line))
    said = capsys.readouterr()
    assert said.out == ""
    _check_line(said.err, fragments)
    assert code == USAGE


@pytest.mark.parametrize(("line", "fragments"), _cases(*IN_A_PROCESS))
def test_the_installed_command_answers_in_one_line(
    line: str, fragments: list[str], folder: Path
) -> None:
    command = [str(Path(sys.executable).parent / "edgetwin"), *shlex.split(line)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.stdout == ""
    _check_line(done.stderr, fragments)
    assert done.returncode == USAGE


# -- Python: id, error, what its message must hold, call --------------------------------------


def _backend(**options: Any) -> Any:
    return edgetwin.make_backend(**{"board": "jetson-tx2", "scenario": "train-cap", **options})


def _turn(**knobs: Any) -> object:
    return _backend().apply(Knobs(**knobs))


def _obey(policy: Any, duration_s: float = 1.0) -> object:
    return edgetwin.run(_backend(), policy, duration_s=duration_s)


def _make(name: str = "Thermal", **options: Any) -> Any:
    env = gym.make(f"edgetwin/{name}-v0", **options).unwrapped
    env.reset(seed=0)
    return env


def _nothing(reading: object) -> Knobs:
    return Knobs()


def _adi(**changes: Any) -> Application:
    return Application(**{"profile": load_application("adi"), "instructions": 1e9, **changes})


def _submit_where_nothing_runs_it() -> object:
    """A forward job on a board in a mode that leaves one core on."""
    mode = '[modes.dark]\nsource = "made"\nonline = ["little0"]\n'
    board = parse_board(TINY + mode, "dark")
    backend = _backend(board=board, scenario=parse_scenario(PLAIN + 'mode = "dark"\n', "dark"))
    return backend.submit(ForwardJob(network=load_network("opt-1.3b"), batch=1, passes=1, steps=1))


def _register_taken_name() -> None:
    make = lambda: edgetwin.make_policy("ondemand")  # noqa: E731
    edgetwin.register_policy(edgetwin.PolicyEntry(name="ondemand", make=make, title="mine"))


def _crossing_the_gap(path: Path) -> None:
    require_finite(read_trace(path), ["freq_hz.gpu"])


TX2 = "jetson-tx2"
Call = Callable[[Path], object]
API_CASES: list[tuple[str, type[Exception], str, Call]] = [
    ("board", KeyError, "'jetson-tx' | 'jetson-tx2'", lambda _: load_board("jetson-tx")),
    ("mode", KeyError, "'MAXX' | 'MAXQ'", lambda _: load_board(TX2).mode("MAXX")),
    ("unit", KeyError, "'cpu7' | 'cpu", lambda _: load_board(TX2).unit("cpu7")),
    ("domain", KeyError, "'gpuu' | 'gpu'", lambda _: load_board(TX2).domain("gpuu")),
    ("nodes", ValueError, "25 nodes | 24", lambda _: parse_board(_crowded(), "x").lower()),
    ("program", KeyError, "'gem' | 'gemm'", lambda _: load_application("gem")),
    ("data-set", KeyError, "'HUGE' | SMALL", lambda _: load_application("adi", "HUGE")),
    ("network", KeyError, "'mobilenet' | 'mobilenet-v2'", lambda _: load_network("mobilenet")),
    ("scenario", KeyError, "'train' | 'train-cap'", lambda _: edgetwin.load_scenario("train")),
    ("policy", KeyError, "'qos' | 'qos-dvfs'", lambda _: edgetwin.make_policy("qos")),
    ("policy-taken", ValueError, "'ondemand' | another", lambda _: _register_taken_name()),
    ("backend", KeyError, "'simm' | 'sim'", lambda _: edgetwin.make_backend("simm", board=TX2)),
    ("replay", ValueError, "trace", lambda _: edgetwin.make_backend("replay", board=TX2)),
    ("trace-for-sim", ValueError, "no trace", lambda f: _backend(trace=f / "whole.parquet")),
    ("clock", ValueError, "1000000000 Hz | 114750000", lambda _: _turn(freq_hz={"gpu": 1e9})),
    ("clock-nan", ValueError, "nan Hz | 114750000", lambda _: _turn(freq_hz={"gpu": np.nan})),
    ("clock-of-nobody", KeyError, "'cpu' | a57", lambda _: _turn(freq_hz={"cpu": 1e9})),
    ("governor", ValueError, "'fast' | schedutil", lambda _: _turn(governor={"gpu": "fast"})),
    ("job", KeyError, "'trian' | 'train'", lambda _: _turn(placement={"trian": "gpu"})),
    ("place", ValueError, "cpu0 cannot | gpu", lambda _: _turn(placement={"train": "cpu0"})),
    ("batch-not-offered", ValueError, "batch 9 | 8, 16", lambda _: _turn(batch={"train": 9})),
    ("fan", ValueError, "77", lambda _: _turn(fan=77)),
    ("wrong-unit", ValueError, "gpu cannot | cpu0", lambda _: _backend().submit(_adi(), "gpu")),
    ("no-unit", ValueError, "no unit | opt-1.3b", lambda _: _submit_where_nothing_runs_it()),
    ("work", ValueError, "instructions is -1", lambda _: _adi(instructions=-1)),
    ("target", ValueError, "target_ips is nan", lambda _: _adi(target_ips=np.nan)),
    ("advance", ValueError, "-1.0 s", lambda _: _backend().advance(-1.0)),
    ("advance-nan", ValueError, "nan s", lambda _: _backend().advance(np.nan)),
    ("duration", ValueError, "0.0 s | positive", lambda _: _obey(_nothing, 0.0)),
    ("period", ValueError, "period_s is 0", lambda _: _obey(FunctionPolicy(_nothing, 0))),
    ("name-as-policy", ValueError, "'ondemand' | make_policy", lambda _: _obey("ondemand")),
    ("no-knobs", ValueError, "returned None | Knobs", lambda _: _obey(lambda reading: None)),
    ("env-board", KeyError, "'hikey' | 'hikey9", lambda _: _make(board="hikey")),
    ("env-step", ValueError, "step_s is -0.5", lambda _: _make(step_s=-0.5)),
    ("env-clocks", ValueError, "'both' | 'agent'", lambda _: _make(clocks="both")),
    ("env-slots", ValueError, "slots is 99 | 24", lambda _: _make(slots=99)),
    ("env-backend", KeyError, "'replay' | sim", lambda _: _make(backend="replay")),
    ("env-random", ValueError, "'prior' | 'posterior'", lambda _: _make(randomize="prior")),
    ("env-power", ValueError, "hikey970 | sensor", lambda _: _make("Training", board="hikey970")),
    ("env-job", ValueError, "mixed-20 | train", lambda _: _make("Training", scenario="mixed-20")),
    ("option", KeyError, "'ambiant' | 'ambient'", lambda _: _reset(ambiant=20)),
    ("option-value", ValueError, "duration_s | -3", lambda _: _reset(duration_s=-3)),
    ("option-scenario", KeyError, "'mixed' | 'mixed-20'", lambda _: _reset(scenario="mixed")),
    ("action", ValueError, "action 65 | Discrete(65)", lambda _: _make().step(65)),
    ("action-none", ValueError, "action None | Discrete(65)", lambda _: _make().step(None)),
    ("action-word", ValueError, "'left' | Discrete(65)", lambda _: _make().step("left")),
    ("action-level", ValueError, "99 | Multi", lambda _: _make(clocks="agent").step([0, 99, 0])),
    ("action-short", ValueError, "[0] | Multi", lambda _: _make(clocks="agent").step([0])),
    ("action-batch", ValueError, "[0, 7] | Multi", lambda _: _make("Training").step([0, 7])),
    ("action-half", ValueError, "0.5 | Multi", lambda _: _make("Training").step([0.5, 1])),
    ("sweep-none", ValueError, "policies are []", lambda f: _sweep(f, policies=[])),
    ("sweep-board", KeyError, "'hikey97' | 'hikey970'", lambda f: _sweep(f, boards=["hikey97"])),
    ("sweep-seeds", ValueError, "seeds are [1, 1]", lambda f: _sweep(f, seeds=[1, 1])),
    ("sweep-engine", KeyError, "'dask' | ray", lambda f: _sweep(f, engine="dask")),
    ("trace-missing", FileNotFoundError, "none.csv", lambda f: read_trace(f / "none.csv")),
    ("trace-empty", ValueError, "empty.log | empty", lambda f: read_trace(f / "empty.log")),
    ("trace-cut", ValueError, "truncated", lambda f: read_trace(f / "cut.parquet")),
    ("trace-without-time", ValueError, "column t_s", lambda f: read_trace(f / "no-time.csv")),
    ("trace-backwards", ValueError, "row 2 | 1.0", lambda f: read_trace(f / "backwards.csv")),
    ("trace-words", ValueError, "row 1 | 'warm'", lambda f: read_trace(f / "words.csv")),
    ("trace-ragged", ValueError, "row 1 | 1 cells", lambda f: read_trace(f / "ragged.csv")),
    ("trace-column", ValueError, "'volts' | t_s", lambda f: read_trace(f / "column.csv")),
    ("trace-not-text", ValueError, "latin.csv | text", lambda f: read_trace(f / "latin.csv")),
    ("trace-gap", ValueError, "row 1 is nan", lambda f: _crossing_the_gap(f / "gap.parquet")),
]


def _sweep(folder: Path, **options: Any) -> object:
    plain = {"policies": ["powersave"], "boards": [TX2], "scenarios": ["train-cap"]}
    return edgetwin.sweep(**{**plain, "out": folder / "swept", **options})


def _reset(**options: Any) -> object:
    return _make().reset(options=options)


@pytest.mark.parametrize(
    ("error", "fragments", "call"), [pytest.param(*case[1:], id=case[0]) for case in API_CASES]
)
def test_python_answers_with_a_plain_error_of_one_line(
    error: type[Exception], fragments: str, call: Call, folder: Path
) -> None:
    with pytest.raises(error) as caught:
        call(folder)
    message = str(caught.value.args[0] if error is KeyError else caught.value)
    assert "\n" not in message
    for fragment in fragments.split(" | "):
        assert fragment in message, f"{fragment!r} is missing in {message!r}"

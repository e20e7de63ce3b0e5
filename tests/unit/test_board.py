"""A board is loaded whole or refused in one line that names the place in the file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_board import TEXT, tiny_board

from hw_models.board import Board, Knobs, board_names, load_board, parse_board
from hw_models.board_checks import quantities
from hw_models.lowering import LEVELS, NODES, lower
from hw_models.quantity import GRADES, Scalar, Source, Vector

KNOWN = (
    '[sources.book]\nkind = "document"\ntitle = "a book"\nwhere = "a shelf"\n'
    '[sources.run]\nkind = "fit"\ntitle = "a fit"\nrecipe = "recipe.py"\ndata_sha256 = "00"\n'
)
HELD_OUT = KNOWN + "holdout = { mape = 0.05 }\n"


def refused(text: str) -> str:
    """The one line with which a board file is refused."""
    with pytest.raises(ValueError, match=r"probe\.toml is not") as error:
        parse_board(text, "probe.toml")
    message = str(error.value)
    assert "\n" not in message
    return message


def altered(old: str, new: str, count: int = 1) -> str:
    """The tiny board's file with one passage replaced."""
    assert old in TEXT
    return TEXT.replace(old, new, count)


# -- loading ------------------------------------------------------------------------------


def test_the_tiny_board_is_a_board() -> None:
    board = parse_board(TEXT, "probe.toml")
    assert board == tiny_board()
    assert [u.name for u in board.unit_list] == ["little0", "little1", "big0", "big1", "gpu0"]
    assert board.parts == (
        *("little0", "little1", "big0", "big1", "gpu0"),
        *("big-shared", "memory", "rest", "fan"),
    )


def test_a_board_is_loaded_by_name_by_path_or_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "probe.toml"
    path.write_text(TEXT, encoding="utf-8")
    board = load_board(path)
    assert load_board(str(path)) == board == load_board(board)
    assert load_board("jetson-tx2") is load_board("jetson-tx2")
    assert load_board("jetson-tx2").name == "jetson-tx2"


@pytest.mark.parametrize(
    ("given", "meant"), [("hikey790", "hikey970"), ("jetson-tx3", "jetson-tx2")]
)
def test_an_unknown_name_is_met_with_the_nearest_one(given: str, meant: str) -> None:
    with pytest.raises(KeyError) as error:
        load_board(given)
    (message,) = error.value.args
    assert f"no board named {given!r}. Did you mean {meant!r}?" in message
    assert all(name in message for name in board_names())


def test_a_missing_file_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"no board file at nowhere/x\.toml"):
        load_board("nowhere/x.toml")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "probe.toml"
    path.write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(ValueError, match=r"probe\.toml is not UTF-8 text"):
        load_board(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "is not TOML"),
        ("a = 1\na = 2", "is not TOML"),
        ("", "schema: Field required (and"),
        (altered("schema = 1", "schema = 2"), "schema: Input should be 1"),
        (altered('name = "tiny"', 'name = "Tiny Board"'), "name: String should match pattern"),
        (
            altered("[limits]", "[limits]\nspeed = 9"),
            "limits.speed: Extra inputs are not permitted",
        ),
        (altered('clocks = "D"', 'clocks = "E"'), "grades.clocks: Input should be 'A+', 'A', 'B'"),
        (
            altered('governor = "performance"', 'governor = "turbo"'),
            "clocks.little.governor: Input",
        ),
        (altered("std = 0.0", "std = -1.0"), "std: std is -1.0; a standard deviation is zero or"),
        (altered("std = 0.0", "std = [0.0, 0.0]"), "std has shape (2,) but value has (3,)"),
        (altered("value = 0.5", "value = nan"), "finite number"),
        (altered('kind = "assumed"', 'kind = "rumour"'), "sources.made.kind: Input should be"),
        (altered('note = "round', 'licence = "round'), "an assumed source needs a note"),
        (altered('members = ["gpu0"]', "members = []"), "units.gpu.members: Tuple should have at"),
    ],
)
def test_a_malformed_file_is_refused_at_its_place(text: str, message: str) -> None:
    assert message in refused(text)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "document"}, "a document source needs where it can be found"),
        ({"kind": "measurement"}, "a measurement source needs where it can be found"),
        ({"kind": "fit", "recipe": "r.py"}, "a fit source needs its recipe and data_sha256"),
        ({"kind": "assumed"}, "an assumed source needs a note"),
    ],
)
def test_a_source_states_what_its_kind_must(fields: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Source.model_validate({"title": "some", **fields})


# -- every check: the smallest change that breaks it ----------------------------------------


FAULTS = [
    # sources
    ('0.5e9, 1.0e9, 1.5e9], std = 0.0, source = "made"',
     '0.5e9, 1.0e9, 1.5e9], std = 0.0, source = "hearsay"',
     "clocks.little.freqs_hz names source 'hearsay', which is not in [sources]"),
    ('[modes.half]\nsource = "made"', '[modes.half]\nsource = "hearsay"',
     "modes.half names source 'hearsay'"),
    ('thermal_zone0/temp"\nsource = "made"', 'thermal_zone0/temp"\nsource = "hearsay"',
     "paths.zone.cpu.temp names source 'hearsay'"),
    # grades
    ('sensors = "D"\n', "", "grades lacks 'sensors'; state one of A+, A, B, C, D"),
    ('power = "D"', 'power = "C"', "power claims grade C, which its sources ['made'] do not"),
    ('paths = "D"', 'paths = "C"', "paths claims grade C, which its sources ['made'] do not"),
    # signs
    ("value = [0.7, 0.8, 0.9]", "value = [0.7, 0.0, 0.9]", "clocks.little.volts_v is [0.7, 0"),
    ("value = 4e-10", "value = -4e-10", "power.units.fast.active_capacitance_f is -4e-10; it"),
    ("energy_j_per_byte = { value = 5e-11", "energy_j_per_byte = { value = -5e-11",
     "power.memory.energy_j_per_byte is -5e-11; it cannot be negative"),
    ("control_period_s = { value = 0.05", "control_period_s = { value = 0.0",
     "limits.control_period_s is 0.0; it must be positive"),
    ("pnorm = { value = 2.0", "pnorm = { value = 0.0", "gpu-core.pnorm is 0.0; it must be pos"),
    ("0.2, 2.0, 20.0]", "0.2, -2.0, 20.0]", "thermal.capacity_j_per_k is [0.05, 0.1, 0.2, -2"),
    # clocks
    ("0.5e9, 1.0e9, 1.5e9]", "1.0e9, 0.5e9, 1.5e9]", "clocks.little.freqs_hz must ascend"),
    ("[0.7, 0.8, 0.9]", "[0.7, 0.8]", "clocks.little.volts_v needs 3 voltages"),
    ("[3e-4, 3e-4, 3e-4]", "[3e-4]", "clocks.little.transition_s needs 3 times"),
    ('governors = ["performance", "powersave", "userspace"]', 'governors = ["powersave"]',
     "clocks.mem.governor 'performance' is not among its governors"),
    # units
    ('members = ["little0", "little1"]', 'members = ["little0", "big0"]',
     "names of units, shared parts and baselines must differ"),
    ('kind = "slow-core"\ndomain = "little"', 'kind = "slow-core"\ndomain = "litle"',
     "units.slow.domain 'litle' is not a clock domain"),
    ('nodes = ["little", "little"]', 'nodes = ["little"]', "units.slow has 2 members and 1 no"),
    ('nodes = ["little", "little"]', 'nodes = ["little", "north"]',
     "units.slow.nodes names 'north', which is not one of little, big, gpu, case, base"),
    ('kind = "slow-core"\n', 'kind = "slower"\n', "units.slow.kind 'slower' has no entry in"),
    ('host = "little0"', 'host = "little9"', "units.gpu.host 'little9' is not a unit"),
    ('host = "little0"', "", "units.gpu is an accelerator and needs a host unit"),
    # power
    ("[power.units.slow]", "[power.units.slower]", "power.units must have exactly the keys"),
    ("[power.units.gpu]",
     '[power.units.gpu]\nkernel_capacitance_f = { value = 1e-9, std = 0.0, source = "made" }',
     "power.units.gpu: kernel_capacitance_f and stalled_capacitance_f go together"),
    ("[power.domains.big]", "[power.domains.bog]", "power.domains names 'bog', which is not"),
    ('[power.domains.big]\nnode = "big"', "[power.domains.big]", "power.domains.big.node name"),
    ('[power.baseline.rest]\nnode = "base"', '[power.baseline.rest]\nnode = "moon"',
     "power.baseline.rest.node names 'moon'"),
    ('node = "case"\nidle', 'node = "moon"\nidle', "power.memory.node names 'moon'"),
    ('[power.memory]\ndomain = "mem"', '[power.memory]\ndomain = "ddr"',
     "power.memory.domain names 'ddr'"),
    ("[0.02, 2e-4, 1.5e-6]", "[0.02, 2e-4]", "power.leakage.coefficients needs three numbers"),
    # thermal
    ('nodes = ["little", "big", "gpu", "case", "base"]',
     'nodes = ["little", "big", "gpu", "case", "base", "base"]', "thermal.nodes must differ"),
    ("0.2, 2.0, 20.0]", "0.2, 2.0]", "thermal.capacity_j_per_k needs 5 numbers, one per node"),
    ('["little", "big"], cond', '["little", "moon"], cond', "thermal.links.between names 'moo"),
    ("conductance_w_per_k = { value = 0.1,", "conductance_w_per_k = { value = 0.0,",
     "thermal link ('little', 'big') needs a positive conductance"),
    ('{ node = "case", cond', '{ node = "moon", cond', "thermal.cooling.node names 'moon'"),
    ("[0.02, 0.05, 0.1]", "[0.02, 0.05]", "thermal.cooling of case needs 3 conductances"),
    (next(line for line in TEXT.splitlines() if line.startswith('{ between = ["gpu"')), "",
     "thermal: some node has no way to the ambient"),
    # performance
    ("forward_tokens = { value = [1.0, 100.0]", "forward_tokens = { value = [100.0, 1.0]",
     "performance.accelerators.gpu-core.forward_tokens must ascend and have as many entries"),
    ("forward_tokens = { value = [1.0, 100.0]", "forward_tokens = { value = [1.0]",
     "performance.accelerators.gpu-core.forward_tokens must ascend and have as many entries"),
    ("[performance.cores.slow-core]",
     '[performance.inference]\nunit = "npu"\n'
     'latency_s = { value = 0.1, std = 0.0, source = "made" }\n'
     'energy_j = { value = 0.1, std = 0.0, source = "made" }\n[performance.cores.slow-core]',
     "performance.inference.unit names 'npu'"),
    # sensors
    ('[sensors.zones.cpu]\nnode = "big"', '[sensors.zones.cpu]\nnode = "moon"',
     "sensors.zones.cpu.node names 'moon'"),
    ('"big1", "big-shared"]', '"big1", "mystery"]', "sensors.rails.vdd_cpu.covers names 'myst"),
    ('input_rail = "vdd_in"', "", "sensors.input_rail None is not one of the rails"),
    ('input_rail = "vdd_in"', 'input_rail = "vdd"', "sensors.input_rail 'vdd' is not one of"),
    # limits
    ("power_w = { value = [0.0, 0.1, 0.3]", "power_w = { value = [0.0, 0.1]",
     "limits.fan.power_w needs one number per pwm level"),
    # modes and aliases
    ("max_freq_hz = { big", "max_freq_hz = { bog", "modes.half.max_freq_hz names 'bog'"),
    ('online = ["little0"', 'online = ["little7"', "modes.half.online names 'little7'"),
    ("[modes.half]", '[aliases.zones]\ntj = "cup"\n[modes.half]', "aliases.zones names 'cup'"),
    ("[modes.half]", '[aliases.rails]\ntj = "cup"\n[modes.half]', "aliases.rails names 'cup'"),
    ("[modes.half]", '[aliases.domains]\ntj = "c"\n[modes.half]', "aliases.domains names 'c'"),
    ("[modes.half]", '[aliases.units]\ntj = "cup"\n[modes.half]', "aliases.units names 'cup'"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), FAULTS, ids=[row[2] for row in FAULTS])
def test_each_check_finds_its_fault(old: str, new: str, message: str) -> None:
    assert message in refused(altered(old, new))


@pytest.mark.parametrize(
    ("trip", "message"),
    [
        ('zone = "moon", kind = "shutdown"', "limits.trips.zone names 'moon'"),
        ('zone = "cpu", kind = "throttle", domains = ["bog"]', "limits.trips.domains names 'bog'"),
        ('zone = "cpu", kind = "fan", fan_level = 3', "needs a fan with level 3"),
        ('zone = "cpu", kind = "fan"', "needs a fan with level 0"),
    ],
)
def test_a_trip_refers_to_what_the_board_has(trip: str, message: str) -> None:
    numbers = (
        'temp_c = { value = 80.0, std = 0.0, source = "made" }, '
        'hysteresis_k = { value = 5.0, std = 0.0, source = "made" }'
    )
    text = altered("trips = []", f"trips = [{{ {numbers}, {trip} }}]")
    assert message in refused(text)


def test_an_ambient_below_zero_is_no_fault() -> None:
    assert tiny_board({"thermal.ambient_c": -20.0}).thermal.ambient_c.value == -20.0


# -- grades -------------------------------------------------------------------------------


def graded(grade: str, source: str, sources: str) -> str:
    """The tiny board with one number of its power section from another source."""
    text = altered('power = "D"', f'power = "{grade}"').replace(
        "[clocks.little]", sources + "[clocks.little]"
    )
    return text.replace(
        'value = 1e-10, std = 0.0, source = "made"',
        f'value = 1e-10, std = 0.0, source = "{source}"',
        1,
    )


@pytest.mark.parametrize(
    ("grade", "source", "sources", "is_borne"),
    [
        ("D", "book", KNOWN, True),
        ("C", "book", KNOWN, True),
        ("B", "book", KNOWN, False),
        ("B", "run", KNOWN, True),
        ("A", "run", KNOWN, False),
        ("A", "run", HELD_OUT, True),
        ("A+", "run", HELD_OUT, True),
    ],
)
def test_a_grade_needs_the_evidence_it_names(
    grade: str, source: str, sources: str, is_borne: bool
) -> None:
    text = graded(grade, source, sources)
    if is_borne:
        assert parse_board(text, "probe.toml").grades["power"] == grade
    else:
        assert f"power claims grade {grade}" in refused(text)


def test_a_board_is_as_good_as_its_worst_section() -> None:
    assert tiny_board().grade == "D"
    assert GRADES == ("A+", "A", "B", "C", "D")
    for name in board_names():
        board = load_board(name)
        assert GRADES.index(board.grade) == max(GRADES.index(g) for g in board.grades.values())


# -- looking things up ----------------------------------------------------------------------


def test_operating_points_are_found_to_half_a_hertz() -> None:
    board = tiny_board()
    assert board.opp("big", 1.5e9) == 2
    assert board.opp("big", 1.5e9 + 0.4) == 2
    with pytest.raises(ValueError) as error:
        board.opp("big", 1.51e9)
    assert str(error.value) == (
        "big cannot run at 1510000000 Hz; tiny offers "
        "500000000, 1000000000, 1500000000, 2000000000."
    )


@pytest.mark.parametrize(
    ("look_up", "message"),
    [
        (lambda b: b.opp("bgi", 1e9), "no clock domain of tiny named 'bgi'. Did you mean 'big'?"),
        (lambda b: b.domain("litle"), "Did you mean 'little'? Known: little, big, gpu, mem."),
        (lambda b: b.unit("big9"), "no unit of tiny named 'big9'. Did you mean 'big1'?"),
        (lambda b: b.mode("hlaf"), "no power mode of tiny named 'hlaf'. Did you mean 'half'?"),
        (lambda b: b.mode("zzz"), "no power mode of tiny named 'zzz'. Known: half."),
    ],
)
def test_a_wrong_name_is_met_with_the_right_one(
    look_up: Callable[[Board], object], message: str
) -> None:
    with pytest.raises(KeyError) as error:
        look_up(tiny_board())
    assert message in error.value.args[0]
    assert "\n" not in error.value.args[0]


def test_every_number_of_a_board_can_be_walked() -> None:
    places = dict(quantities(tiny_board()))
    assert places["limits.poll_s"].value == 0.05
    assert places["thermal.links[1].conductance_w_per_k"].value == 0.5
    assert places["power.units.fast.leakage_w"].value == 0.08
    assert len(places) == TEXT.count("std = 0.0")


def test_numbers_are_arrays_when_asked() -> None:
    scalar = Scalar(value=2, std=0.1, source="x")
    assert scalar.array.shape == () and scalar.array.dtype == np.float64
    vector = Vector(value=[1.0, 2.0], std=[0.1, 0.2], source="x")
    assert vector.array.tolist() == [1.0, 2.0]


def test_boards_and_knobs_never_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        tiny_board().name = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Knobs().fan = 3  # type: ignore[misc]


# -- as arrays --------------------------------------------------------------------------------


def test_arrays_say_what_the_file_says() -> None:
    low = tiny_board().lower()
    r = low.record[0]
    assert (low.domains, low.nodes) == (("little", "big", "gpu", "mem"), tiny_board().thermal.nodes)
    assert low.kinds == ("slow-core", "fast-core", "gpu-core")
    assert [int(r[key]) for key in ("nodes", "parts", "units", "domains", "fans")] == [
        5,
        9,
        5,
        4,
        3,
    ]
    assert r["freq_hz"][1, :4].tolist() == [0.5e9, 1.0e9, 1.5e9, 2.0e9]
    assert r["leak_factor"][1, :4] == pytest.approx(np.array([0.7, 0.8, 0.9, 1.0]) ** 3)
    assert r["transition_ns"][2, :3].tolist() == [1_000_000] * 3
    assert (r["unit_host"][4], r["unit_domain"][4], r["memory_domain"]) == (0, 2, 3)
    assert r["zone_ticks"][:2].tolist() == [1, 20]
    assert r["rail_ticks"][:2].tolist() == [1, 14]
    assert r["rail_covers"][1, :9].tolist() == [1, 1, 1, 1, 0, 1, 0, 0, 0]
    assert not low.record.flags.writeable


def test_a_board_beyond_the_capacity_is_refused_in_one_line() -> None:
    many = [1e8 * (i + 1) for i in range(LEVELS + 1)]
    board = tiny_board(
        {
            "clocks.little.freqs_hz": many,
            "clocks.little.volts_v": [0.9] * len(many),
            "clocks.little.transition_s": [0.0] * len(many),
        }
    )
    with pytest.raises(ValueError, match="tiny has 41 operating points; the simulator holds 40"):
        lower(board)
    assert NODES >= 21

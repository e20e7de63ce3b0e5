"""The scenario `mine` runs to its end, and twice alike with one seed."""

from pathlib import Path

import edgetwin

SCENARIO = Path(__file__).with_name("mine.toml")


def test_it_runs_and_is_the_same_with_the_same_seed() -> None:
    policy = edgetwin.make_policy("ondemand")
    runs = []
    for _ in range(2):
        backend = edgetwin.make_backend("sim", board="hikey970", scenario=SCENARIO)
        runs.append(edgetwin.run(backend, policy, duration_s=900, seed=3))
    assert runs[0].trace == runs[1].trace
    assert runs[0].kpis["duration_s"] == 900
    assert len(runs[0].jobs) == 8

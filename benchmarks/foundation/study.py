"""The study: one row per line of the foundation's table, and some more."""

from benchmarks.foundation import energy, environments, extras, heat, promises, speed
from edgetwin.studies import Study

ROWS = {
    "thermal_step": ("thermal step against solve_ivp", heat.measure_step),
    "energy": ("energy counter and heat balance", energy.measure),
    "linear_part": ("linear part of the thermal step", heat.measure_linear),
    "against_polling": ("one board against polling simpy processes", speed.measure_polling),
    "coasting": ("quiet stretches jumped over", speed.measure_coasting),
    "environment": ("Thermal-v0 against CartPole-v1", environments.measure),
    "import": ("import edgetwin", promises.measure_import),
    "bad_input": ("bad input", promises.measure_bad_input),
    "traps": ("the four traps", promises.measure_traps),
}

STUDY = Study(name="foundation", rows=ROWS, more=extras.MORE)

"""What every test shares: one hypothesis profile."""

from hypothesis import Phase, settings

# The first example of a property may compile a kernel: no per-example deadline survives that, and
# tracing the compiler's every line, as the phase `explain` does, takes minutes.
settings.register_profile(
    "edgetwin", deadline=None, phases=[p for p in Phase if p is not Phase.explain]
)
settings.load_profile("edgetwin")

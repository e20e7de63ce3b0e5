"""What every test shares: one hypothesis profile."""

from hypothesis import settings

# The first example of a property may compile a kernel, which no per-example deadline survives.
settings.register_profile("edgetwin", deadline=None)
settings.load_profile("edgetwin")

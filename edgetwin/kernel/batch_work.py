"""Rows of the work area of a group: what lives no longer than a step of its boards."""

from edgetwin.kernel.state import SLOTS
from hw_models.lowering import DOMAINS, NODES, PARTS, UNITS

# Factors of a thermal step; what parts or modes add; clocks; units; jobs; kept for taking back.
DECAY = 0
PHI1 = DECAY + NODES
PHI2 = PHI1 + NODES
CHANGE = PHI2 + NODES
SEEN = CHANGE + PARTS
CLOCK_HZ = SEEN + NODES
CLOCK_V = CLOCK_HZ + DOMAINS
LEAK_SHARE = CLOCK_V + DOMAINS
IN_DOMAIN = LEAK_SHARE + DOMAINS
ON_UNIT = IN_DOMAIN + DOMAINS
LAUNCHING = ON_UNIT + UNITS
JOB_TRAFFIC = LAUNCHING + UNITS
JOB_BUSY = JOB_TRAFFIC + SLOTS
JOB_ACTIVE = JOB_BUSY + SLOTS
JOB_LAUNCH = JOB_ACTIVE + SLOTS
JOB_NEED = JOB_LAUNCH + SLOTS
JOB_SHARE = JOB_NEED + SLOTS
JOB_STALL = JOB_SHARE + SLOTS
JOB_BYTES = JOB_STALL + SLOTS
KEPT = JOB_BYTES + SLOTS
WORK_ROWS = KEPT + 2 * NODES + 2 * PARTS
# Whole numbers: the unit of every job that runs and the domain of every job that moves, or -1; the
# kind and the domain of the unit of a job, and where its demand on such a unit begins.
RUNS_ON = 0
MOVES_IN = RUNS_ON + SLOTS
KIND = MOVES_IN + SLOTS
DOMAIN = KIND + SLOTS
DEMAND = DOMAIN + SLOTS
WHOLE_ROWS = DEMAND + SLOTS

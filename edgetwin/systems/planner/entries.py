"""The planner's policies in the table of all policies; what they need is imported when made."""

from edgetwin.backend import Policy
from edgetwin.policies import PolicyEntry, register_policy


def _planner() -> Policy:
    from edgetwin.systems.planner.policy import PlannerPolicy

    return PlannerPolicy()


def _fixed_batch() -> Policy:
    from edgetwin.systems.planner.policy import FixedBatchPolicy

    return FixedBatchPolicy()


register_policy(
    PolicyEntry(
        name="planner",
        make=_planner,
        title="batch size and GPU clock that reach the target soonest below the cap",
        tasks=("training",),
    )
)
register_policy(
    PolicyEntry(
        name="fixed-batch",
        make=_fixed_batch,
        title="the job's batch size at the highest GPU clock below the cap",
        tasks=("training",),
    )
)

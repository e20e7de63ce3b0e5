"""How good a plan was: the truth about its choice, and brute force over all cells."""

from typing import Any

from edgetwin.systems.planner.choice import Plan, Planner


def judged(plan: Plan, truth: Planner) -> dict[str, Any]:
    """A plan's JSON with the truth about its choice, the optimum by brute force, and the gap.

    The optimum, and with it the gap, is null where truly nothing stays below the cap.
    """
    true = truth.cell(plan.choice.at, plan.cap_w)
    found = plan.as_json() | {"true": true.as_json()}
    try:
        best = truth.plan(plan.cap_w, objective=plan.objective, deadline_s=plan.deadline_s)
    except ValueError:
        return found
    cost = "time_s" if plan.objective == "time" else "energy_j"
    gap = getattr(true, cost) / getattr(best.choice, cost) - 1.0
    return found | {"optimum": best.choice.as_json(), "gap": gap}

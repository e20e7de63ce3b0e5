"""Placement and clocks of programs with QoS targets on big.LITTLE, by imitation of an oracle.

Method of arXiv 2206.05459 (DATE 2022). `branches` and `joint` are the oracles, `demos`, `dagger`
and `train` make a `student` of them; `managers`, `eas`, `analytic`, `toprl` and `ppo` compete with
it, and `rollout` runs any of them on many boards at once.
"""

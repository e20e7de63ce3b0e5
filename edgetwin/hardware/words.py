"""A job as a line of text, for whoever does its work at the other end of the link."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from math import inf
from typing import Any

import numpy as np

from hw_models.jobs import (
    Application,
    ApplicationProfile,
    CorePhases,
    ForwardJob,
    Job,
    LoadJob,
    NetworkProfile,
    TrainingJob,
    job_kind,
)


def words_of(job: Job, unit: str) -> str:
    """A job on a unit as JSON; a shipped profile by its name, any other one in full."""
    said: dict[str, Any] = {"kind": job_kind(job), "unit": unit}
    for field in fields(job):
        value = getattr(job, field.name)
        if isinstance(value, ApplicationProfile):
            said["profile"] = _profile_words(value)
        elif isinstance(value, NetworkProfile):
            said["network"] = asdict(value)
        elif isinstance(value, Mapping):
            said[field.name] = [[k, v] for k, v in value.items()]
        else:
            said[field.name] = None if value == inf else value
    return json.dumps(said)


def job_of(text: str) -> tuple[Job, str]:
    """The job and the unit that `words_of` wrote; ValueError for anything else."""
    try:
        said = json.loads(text)
        unit = str(said.pop("unit"))
        return _job(said.pop("kind"), said), unit
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"these are not the words of a job: {error}.") from None


def _job(kind: str, said: dict[str, Any]) -> Job:
    if kind == "application":
        insns = said.pop("instructions")
        profile = _profile(said.pop("profile"))
        return Application(profile=profile, instructions=inf if insns is None else insns, **said)
    if kind == "load":
        return LoadJob(**said)
    network = NetworkProfile(**said.pop("network"))
    if kind == "training":
        samples = {int(k): float(v) for k, v in said.pop("samples_to_target")}
        return TrainingJob(network=network, samples_to_target=samples, **said)
    if kind == "forward":
        return ForwardJob(network=network, **said)
    raise ValueError(f"no kind of job is called {kind!r}.")


def _profile_words(profile: ApplicationProfile) -> dict[str, Any]:
    from hw_models.workloads import application_names, datasets, load_application

    name, dataset = profile.name, profile.dataset
    if name in application_names() and dataset in datasets(name):
        shipped = load_application(name, dataset)
        if shipped.phase_insns is profile.phase_insns or np.array_equal(
            shipped.phase_insns, profile.phase_insns
        ):
            return {"name": name, "dataset": dataset}
    whole = {f.name: getattr(profile, f.name) for f in fields(profile)}
    whole["phase_insns"] = profile.phase_insns.tolist()
    whole["by_kind"] = {
        kind: {f.name: getattr(phases, f.name).tolist() for f in fields(phases)}
        for kind, phases in profile.by_kind.items()
    }
    return whole


def _profile(said: dict[str, Any]) -> ApplicationProfile:
    from hw_models.workloads import load_application

    if said.keys() == {"name", "dataset"}:
        return load_application(said["name"], said["dataset"])
    kinds = {
        kind: CorePhases(**{name: np.array(values) for name, values in phases.items()})
        for kind, phases in said.pop("by_kind").items()
    }
    insns = np.array(said.pop("phase_insns"))
    return ApplicationProfile(phase_insns=insns, by_kind=kinds, **said)

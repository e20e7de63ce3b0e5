"""A policy of the user's own, named by its place: `policy.py:make` or `package.module:make`."""

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

from edgetwin.backend import Policy, as_policy
from hw_models.naming import unknown


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A policy found at a place: its name, how it is made, the SHA-256 of its source file."""

    name: str
    make: Callable[[], Policy]
    title: str
    sha256: str


def policy_at(place: str) -> Found:
    """The policy at `file.py:name` or `module:name`, name being `make` where it is left out.

    The name may stand for a function Reading -> Knobs, a policy object, a class of policies or a
    function without arguments that returns one. FileNotFoundError for a missing file, KeyError for
    a name that is not in it, ValueError for one that is no policy.
    """
    where, name = _parts(place)
    thing = _thing(where, name)
    file = Path(inspect.getsourcefile(sys.modules[_module_name(where)]) or where)
    found = Found(
        name=_short(where, name),
        make=partial(make_at, where, name),
        title=_first_line(thing) or f"{name} of {where}",
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
    )
    found.make()
    return found


def make_at(where: str, name: str) -> Policy:
    """A fresh policy from a file or module; whoever unpickles this loads the file again."""
    return policy_from(_thing(where, name))


def policy_from(thing: Any) -> Policy:
    """A policy as it is, from whatever makes one, or a function Reading -> Knobs as one."""
    if isinstance(thing, Policy) and not isinstance(thing, type):
        return as_policy(thing)
    if callable(thing) and not _needed(thing):
        return as_policy(thing())
    return as_policy(thing)


def is_place(name: str) -> bool:
    """Does a policy's name say where it is, and not how it is called?"""
    return ":" in name or name.endswith(".py")


def _needed(thing: Any) -> list[str]:
    """Names of the arguments without which it cannot be called."""
    parameters = inspect.signature(thing).parameters.values()
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters if p.kind in positional and p.default is p.empty]


def _parts(place: str) -> tuple[str, str]:
    where, _, name = place.rpartition(":") if ":" in place else (place, "", "make")
    if not where or not name:
        raise ValueError(f"{place!r} names no policy; give file.py:name or package.module:name.")
    if not where.endswith(".py"):
        return where, name
    if not Path(where).is_file():
        raise FileNotFoundError(f"no policy file at {where}; `edgetwin new policy NAME` makes one.")
    return str(Path(where).resolve()), name


def _thing(where: str, name: str) -> Any:
    module = _module(where)
    if not hasattr(module, name):
        names = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise KeyError(unknown(f"policy in {where}", name, names))
    return getattr(module, name)


def _module_name(where: str) -> str:
    if not where.endswith(".py"):
        return where
    return f"edgetwin_policy_{Path(where).stem}_{hashlib.sha256(where.encode()).hexdigest()[:8]}"


def _module(where: str) -> Any:
    """A module as Python imports it, or a file as a module of its own, loaded once."""
    module_name = _module_name(where)
    if not where.endswith(".py"):
        return importlib.import_module(where)
    if module_name in sys.modules:
        return sys.modules[module_name]
    spec = importlib.util.spec_from_file_location(module_name, where)
    if spec is None or spec.loader is None:
        raise ValueError(f"{where} cannot be imported; give a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    sys.path.insert(0, str(Path(where).parent))  # modules beside it
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    finally:
        sys.path.remove(str(Path(where).parent))
    return module


def _short(where: str, name: str) -> str:
    """`mine` for mine.py:make, `mine.cool` for any other name."""
    stem = Path(where).stem if where.endswith(".py") else where
    return stem if name == "make" else f"{stem}.{name}"


def _first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0].rstrip(".")

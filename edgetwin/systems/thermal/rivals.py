"""Learned rivals on disk: the tables of TOP-RL and the actor of PPO, in one NumPy file."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from edgetwin.storage import write_atomically
from edgetwin.systems.thermal.chip import Array
from edgetwin.systems.thermal.ppo import Ppo
from edgetwin.systems.thermal.toprl import Tables, TopRl

SHIPPED: Final = Path(__file__).parent / "rivals.npz"
SHIPPED_PENALTY: Final = 200.0


def save_rivals(tables: Tables, actors: Sequence[Sequence[tuple[Array, Array]]], path: Path) -> None:
    """Write all tables and actors, as float32."""
    values = {
        "q": tables.q.astype(np.float32),
        "penalties": tables.penalties,
        "seeds": tables.seeds,
        "rewards": tables.rewards,
    }
    for a, layers in enumerate(actors):
        for k, (w, b) in enumerate(layers):
            values |= {f"actor{a}.w{k}": w.astype(np.float32), f"actor{a}.b{k}": b}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **values)  # type: ignore[arg-type]
    write_atomically(path, buffer.getvalue())


def load_tables(path: Path = SHIPPED) -> Tables:
    """The tables of a file; FileNotFoundError where there is none."""
    with _opened(path) as file:
        return Tables(
            q=file["q"].astype(float),
            penalties=file["penalties"],
            seeds=file["seeds"],
            rewards=file["rewards"],
        )


def load_actors(path: Path = SHIPPED) -> list[list[tuple[Array, Array]]]:
    """The actors of a file; FileNotFoundError where there is none."""
    with _opened(path) as file:
        count = len({name.split(".")[0] for name in file.files if name.startswith("actor")})
        return [
            [
                (file[f"actor{a}.w{k}"].astype(float), file[f"actor{a}.b{k}"].astype(float))
                for k in range(sum(n.startswith(f"actor{a}.w") for n in file.files))
            ]
            for a in range(count)
        ]


def shipped_rl() -> TopRl:
    """TOP-RL as shipped: the table of the published penalty and the first seed."""
    tables = load_tables()
    return TopRl(tables.q[tables.penalties == SHIPPED_PENALTY][:1])


def shipped_ppo() -> Ppo:
    """PPO as shipped, the first seed."""
    return Ppo(load_actors()[0])


def _opened(path: Path) -> "np.lib.npyio.NpzFile":
    if not path.is_file():
        raise FileNotFoundError(f"no rivals at {path}; train them with: edgetwin train-manager")
    found: np.lib.npyio.NpzFile = np.load(path)
    return found

"""Learned rivals on disk: the tables of TOP-RL and the actor of PPO, in one NumPy file."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np

from edgetwin.progress import Progress
from edgetwin.scenario import Scenario
from edgetwin.storage import write_atomically
from edgetwin.systems.thermal.chip import Array
from edgetwin.systems.thermal.ppo import Ppo, learn_ppo
from edgetwin.systems.thermal.toprl import PENALTIES, Learning, Tables, TopRl, learn
from edgetwin.systems.thermal.workloads import LOADS, Mix
from hw_models.board import Board

SHIPPED: Final = Path(__file__).parent / "rivals.npz"
SHIPPED_PENALTY: Final = 200.0


def save_rivals(
    tables: Tables, actors: Sequence[Sequence[tuple[Array, Array]]], path: Path
) -> None:
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


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RivalSettings:
    """What decides the learned rivals: seeds, TOP-RL's penalties and episodes, PPO's steps."""

    seeds: tuple[int, ...] = (0, 1, 2)
    penalties: tuple[float, ...] = PENALTIES
    episodes: int = 18
    boards: int = 1
    limit_s: float = 1000.0
    ppo_steps: int = 200_000
    ppo_boards: int = 32


def train_rivals(board: Board, settings: RivalSettings, path: Path) -> Path:
    """TOP-RL's tables and PPO's actors in one file, which is kept if it is there already."""
    if path.is_file():
        return path
    with Progress("rivals", 1 + len(settings.seeds)) as progress:
        scenarios = _lessons(board, settings.boards)
        tables = learn(
            board, scenarios, seeds=settings.seeds, penalties=settings.penalties,
            learning=Learning(episodes=settings.episodes), limit_s=settings.limit_s,
        )  # fmt: skip
        progress.advance()
        actors = []
        for seed in settings.seeds:
            endless = _endless(board, settings.ppo_boards)
            actors.append(learn_ppo(board, endless, steps=settings.ppo_steps, seed=seed))
            progress.advance()
    save_rivals(tables, actors, path)
    return path


def _lessons(board: Board, boards: int) -> list[Scenario]:
    """Seen programs at every load, both coolings, targets of 0.2 to 0.6."""
    mixes = [
        Mix(programs="seen", load=load, shares=(0.2, 0.6), fixed="duration", cooling=cooling)
        for load in LOADS
        for cooling in ("fan", "no-fan")
    ]
    return [mix.scenario(board) for mix in mixes for _ in range(boards)]


def _endless(board: Board, boards: int) -> list[Scenario]:
    """The same without end, for an agent that is never reset."""
    count = 1000
    lessons = [
        Mix(
            programs="seen", load=load, shares=(0.2, 0.6), fixed="duration", cooling=cooling,
            count=count,
        ).scenario(board)
        for load in LOADS
        for cooling in ("fan", "no-fan")
    ]  # fmt: skip
    return [lessons[i % len(lessons)] for i in range(boards)]

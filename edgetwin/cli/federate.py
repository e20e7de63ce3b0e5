"""`edgetwin federate`: one federated fine-tuning run, any method, any runtime."""

import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgetwin.cli.output import Json, announce_compiling, note, print_json, print_table
from edgetwin.cli.run import command, names_of

if TYPE_CHECKING:
    from edgetwin.systems.federated.setup import Setup


Method = Annotated[
    str, typer.Option(help="fedspzo, fedzo, decomfl, fedkseed, baffle, fedavg, fedavg-lora.")
]
Model = Annotated[str, typer.Option(help="minilm, mlp, or a Hugging Face model by name or path.")]
Task = Annotated[str, typer.Option(help="docstrings, sst2, rte, wic, boolq; digits for mlp.")]
Train = Annotated[
    str | None, typer.Option(help=".tsv, .jsonl, .parquet or hub:NAME[/CONFIG]:SPLIT.")
]
Test = Annotated[str | None, typer.Option(help="The same, held out.")]
Trained = Annotated[str, typer.Option(help="all, last:N blocks, or lora:RANK.")]
Clients = Annotated[int, typer.Option(help="How many there are.")]
PerRound = Annotated[int, typer.Option(help="How many work in a round.")]
Rounds = Annotated[int, typer.Option(help="Rounds in all.")]
Steps = Annotated[int, typer.Option(help="Local steps a round.")]
Batch = Annotated[int, typer.Option(help="Examples a step.")]
Alpha = Annotated[
    float, typer.Option(help="Of Dirichlet shares of the classes; 0 for equal random ones.")
]
Longest = Annotated[int, typer.Option(help="Tokens of the longest text.")]
Most = Annotated[int | None, typer.Option(help="Examples of each file; default all.")]
Seed = Annotated[int, typer.Option(help="Fixes shares, batches and noise.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="NAME=VALUE of the method, as in lr=1e-4,4e-4; repeat it."),
]
Runtime = Annotated[str, typer.Option(help="here; Flower's simulation or deployment.")]
Boards = Annotated[
    str | None, typer.Option(help="Boards of the clients, in turn: seconds and joules.")
]
Out = Annotated[
    Path | None, typer.Option(help="Folder to keep the run in; an unfinished one goes on.")
]


def federate(
    method: Method = "fedspzo",
    model: Model = "minilm",
    task: Task = "docstrings",
    train: Train = None,
    test: Test = None,
    trained: Trained = "last:3",
    clients: Clients = 8,
    per_round: PerRound = 2,
    rounds: Rounds = 100,
    steps: Steps = 1,
    batch: Batch = 8,
    alpha: Alpha = 1.0,
    longest: Longest = 32,
    most: Most = None,
    seed: Seed = 0,
    settings: Settings = None,
    runtime: Runtime = "here",
    boards: Boards = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Fine-tune a model across clients that send seeds and scalars, and say what it cost.

    Example: edgetwin federate --model mlp --task digits --rounds 20 --boards jetson-nano
    """
    setup = _setup(
        method=method, settings=settings_of(settings or []), model=model, task=task, train=train,
        test=test, trained=trained, longest=longest, most=most, clients=clients,
        per_round=per_round, rounds=rounds, steps=steps, batch=batch, alpha=alpha or None,
        seed=seed,
    )  # fmt: skip
    chosen = names_of("--boards", boards, ()) if boards is not None else ()
    result = _conduct(setup, runtime, chosen, out)
    if as_json:
        print_json(result)
        return
    _print(result)
    if out is not None:
        note(f"kept in {out}")


def _setup(**given: Any) -> "Setup":
    try:
        from edgetwin.systems.federated.setup import Setup
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"edgetwin federate needs {error.name}: pip install 'edgetwin[learn,lm]'."
        ) from error
    return Setup(**given)


def _conduct(
    setup: "Setup", runtime: str, boards: Sequence[str], out: Path | None
) -> dict[str, Any]:
    """The run, in its folder; ended or going on from where it stood."""
    from edgetwin.runs import RunFolder
    from edgetwin.systems.federated.conduct import conduct
    from hw_models.board import load_board

    for name in boards:
        load_board(name)
    if boards:
        announce_compiling()
    with ExitStack() as stack:
        path = out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        arguments = {**setup.as_dict(), "runtime": runtime, "boards": boards}
        hashes = _hashes(setup.train, setup.test)
        folder = stack.enter_context(RunFolder.create(path, command(), arguments, hashes))
        result = conduct(setup, path, runtime=runtime, boards=boards)
        found = {"runtime": runtime, "seed": setup.seed} | result
        if out is not None:
            folder.write_kpis(found)
    return found


def settings_of(words: list[str]) -> dict[str, Any]:
    """{"lr": [1e-4, 4e-4]} of lr=1e-4,4e-4; ValueError for what is no NAME=VALUE."""
    found = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not (name.isidentifier() and equals and text):
            raise ValueError(f"--set {word}: give NAME=VALUE, as in lr=1e-4,4e-4.")
        values = [_value(part) for part in text.split(",")]
        found[name] = values if "," in text else values[0]
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _hashes(*files: str | None) -> dict[str, str]:
    from edgetwin.storage import file_sha256

    return {name: file_sha256(name) for name in files if name and Path(name).is_file()}


def _print(result: dict[str, Any]) -> None:
    units = {
        "loss": "nat", "accuracy": "", "majority": "", "round": "", "flops": "FLOP",
        "upload_bytes": "byte", "download_bytes": "byte", "bytes_per_step": "byte",
        "time_s": "s", "energy_j": "J",
    }  # fmt: skip
    rows = [[name, result[name], unit] for name, unit in units.items() if name in result]
    rows += [[f"uploads {reason}", count, ""] for reason, count in result["uploads"].items()]
    title = f"{result['method']} on {result['task']} with {result['model']}"
    print_table(title, ["figure", "value", "unit"], rows)

"""`edgetwin federate`: one federated fine-tuning run, any method, any runtime."""

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from edgetwin.cli.output import Json, announce_compiling, note, print_json, print_table
from edgetwin.cli.run import command, names_of


def federate(
    method: Annotated[
        str, typer.Option(help="fedspzo, fedzo, decomfl, fedkseed, baffle, fedavg, fedavg-lora.")
    ] = "fedspzo",
    model: Annotated[
        str, typer.Option(help="minilm, mlp, or a Hugging Face model by name or path.")
    ] = "minilm",
    task: Annotated[
        str, typer.Option(help="docstrings, sst2, rte, wic, boolq; digits for mlp.")
    ] = "docstrings",
    train: Annotated[
        str | None, typer.Option(help=".tsv, .jsonl, .parquet or hub:NAME[/CONFIG]:SPLIT.")
    ] = None,
    test: Annotated[str | None, typer.Option(help="The same, held out.")] = None,
    trained: Annotated[str, typer.Option(help="all, last:N blocks, or lora:RANK.")] = "last:3",
    clients: Annotated[int, typer.Option(help="How many there are.")] = 8,
    per_round: Annotated[int, typer.Option(help="How many work in a round.")] = 2,
    rounds: Annotated[int, typer.Option(help="Rounds in all.")] = 100,
    steps: Annotated[int, typer.Option(help="Local steps a round.")] = 1,
    batch: Annotated[int, typer.Option(help="Examples a step.")] = 8,
    alpha: Annotated[
        float, typer.Option(help="Of Dirichlet shares of the classes; 0 for equal random ones.")
    ] = 1.0,
    longest: Annotated[int, typer.Option(help="Tokens of the longest text.")] = 32,
    most: Annotated[int | None, typer.Option(help="Examples of each file; default all.")] = None,
    seed: Annotated[int, typer.Option(help="Fixes shares, batches and noise.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE of the method, as in lr=1e-4,4e-4; repeat it."),
    ] = None,
    runtime: Annotated[str, typer.Option(help="here; Flower's simulation or deployment.")] = "here",
    boards: Annotated[
        str | None, typer.Option(help="Boards of the clients, in turn: seconds and joules.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to keep the run in; an unfinished one goes on.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Fine-tune a model across clients that send seeds and scalars, and say what it cost.

    Example: edgetwin federate --model mlp --task digits --rounds 20 --boards jetson-nano
    """
    from edgetwin.runs import RunFolder

    try:
        from edgetwin.systems.federated.conduct import conduct
        from edgetwin.systems.federated.setup import Setup
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"edgetwin federate needs {error.name}: pip install 'edgetwin[learn,lm]'."
        ) from error
    from hw_models.board import load_board

    setup = Setup(
        method=method, settings=settings_of(settings or []), model=model, task=task, train=train,
        test=test, trained=trained, longest=longest, most=most, clients=clients,
        per_round=per_round, rounds=rounds, steps=steps, batch=batch, alpha=alpha or None,
        seed=seed,
    )  # fmt: skip
    chosen = names_of("--boards", boards, ()) if boards is not None else ()
    for name in chosen:
        load_board(name)
    with ExitStack() as stack:
        path = out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        arguments = {**setup.as_dict(), "runtime": runtime, "boards": chosen}
        folder = stack.enter_context(
            RunFolder.create(path, command(), arguments, _hashes(train, test))
        )
        if chosen:
            announce_compiling()
        result = {"runtime": runtime, "seed": seed} | conduct(
            setup, path, runtime=runtime, boards=chosen
        )
        if out is not None:
            folder.write_kpis(result)
    if as_json:
        print_json(result)
        return
    _print(result)
    if out is not None:
        note(f"kept in {out}")


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

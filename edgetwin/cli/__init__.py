"""The command line: one verb per module, one line per error."""

import sys
from collections.abc import Sequence

import typer
import typer.core

from edgetwin.cli.boards import boards
from edgetwin.cli.calibrate import calibrate
from edgetwin.cli.envs import envs
from edgetwin.cli.excite import excite
from edgetwin.cli.federate import federate
from edgetwin.cli.record import record
from edgetwin.cli.replay import replay
from edgetwin.cli.reproduce import reproduce
from edgetwin.cli.run import run
from edgetwin.cli.sweep import sweep
from edgetwin.cli.transfer import transfer
from edgetwin.cli.validate import validate

OK, FAILED, USAGE, NO_HARDWARE, UNSAFE = range(5)

typer.core.HAS_RICH = False  # help is plain text; typer 0.20 would escape its brackets for rich
app = typer.Typer(
    name="edgetwin",
    help="Digital twins of edge boards: run and sweep policies, replay logs, calibrate boards.",
    epilog="Start with: edgetwin run thermal",
    rich_markup_mode=None,
    suggest_commands=False,  # the parser below suggests already
    pretty_exceptions_enable=False,
)
VERBS = (
    boards, envs, run, sweep, replay, record, excite, calibrate, validate, transfer, federate,
    reproduce,
)  # fmt: skip
for verb in VERBS:
    app.command()(verb)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 ok, 1 gate failed, 2 usage, 3 no hardware, 4 unsafe."""
    sys.exit(_run(list(sys.argv[1:] if arguments is None else arguments)))


def _run(arguments: list[str]) -> int:
    try:
        result = app(arguments or ["--help"], prog_name="edgetwin", standalone_mode=False)
    except (ImportError, KeyError, OSError, RuntimeError, ValueError) as error:
        return _complain(_one_line(error))
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    except Exception as error:
        if not hasattr(error, "format_message"):
            if hasattr(error, "exit_code"):  # typer's own way to leave
                return int(error.exit_code)
            raise
        return _complain(" ".join(error.format_message().split()))
    return result if isinstance(result, int) else OK


def _one_line(error: BaseException) -> str:
    """The message of a built-in exception, without the quotes of KeyError or an error number."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    if isinstance(error, OSError) and error.filename and error.strerror:
        text = f"{error.filename}: {error.strerror.lower()}."
    return " ".join(text.split()) or type(error).__name__


def _complain(message: str, code: int = USAGE) -> int:
    print(f"edgetwin: {message}", file=sys.stderr)
    return code

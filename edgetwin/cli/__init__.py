"""The command line: one verb per module, one line per error."""

import sys
from collections.abc import Sequence

import typer
import typer.core

from edgetwin.cli.boards import boards
from edgetwin.cli.calibrate import calibrate
from edgetwin.cli.demos import demos
from edgetwin.cli.doctor import doctor
from edgetwin.cli.envs import envs
from edgetwin.cli.excite import excite
from edgetwin.cli.export import export
from edgetwin.cli.federate import federate
from edgetwin.cli.gap import gap
from edgetwin.cli.gate import gate
from edgetwin.cli.new import new
from edgetwin.cli.plan import plan
from edgetwin.cli.record import record
from edgetwin.cli.replay import replay
from edgetwin.cli.reproduce import reproduce
from edgetwin.cli.run import run
from edgetwin.cli.serve import serve
from edgetwin.cli.sweep import sweep
from edgetwin.cli.train import train
from edgetwin.cli.train_manager import train_manager
from edgetwin.cli.transfer import transfer
from edgetwin.cli.validate import validate
from edgetwin.cli.view import view
from edgetwin.hardware.errors import HardwareError, SafetyAbort

HELP = """Digital twins of edge boards: run policies, look at them, gate them, replay and calibrate.

\b
First steps:
  edgetwin run thermal --policies powersave,ondemand --out out/first
  edgetwin view out/first
  edgetwin new policy mine
  edgetwin gate mine/mine.py:make --baseline mine/main.json --update
  edgetwin boards                  what there is, and how far to trust it
  edgetwin run thermal --live      the same run in a browser, as it goes on
"""
OK, FAILED, USAGE, NO_HARDWARE, UNSAFE = range(5)

typer.core.HAS_RICH = False  # help is plain text; typer 0.20 would escape its brackets for rich
app = typer.Typer(
    name="edgetwin",
    help=HELP,
    epilog="`edgetwin VERB --help` says what a verb does, with an example.",
    rich_markup_mode=None,
    suggest_commands=False,  # the parser below suggests already
    pretty_exceptions_enable=False,
)
VERBS = (
    boards, envs, run, sweep, replay, record, excite, calibrate, validate, transfer, reproduce,
    plan, train, federate, demos, train_manager, gate, view, export, new, serve, doctor, gap,
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
        codes: dict[type[Exception], int] = {HardwareError: NO_HARDWARE, SafetyAbort: UNSAFE}
        return _complain(_one_line(error), codes.get(type(error), USAGE))
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

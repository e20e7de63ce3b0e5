"""Errors about names say which one may be meant."""

import difflib
from collections.abc import Iterable


def unknown(what: str, name: str, names: Iterable[str]) -> str:
    """One line that says a name is unknown, which one may be meant and which ones exist."""
    known = list(names)
    close = difflib.get_close_matches(name, known, n=1)
    close = close or [k for k in known if name and name.lower() in k.lower()]
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"no {what} named {name!r}.{hint} Known: {', '.join(known) or 'none'}."

"""Certificates: what was measured about a board, how well its file predicts it, and where."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hw_models.certificate.certify import certify
    from hw_models.certificate.claim import Verdict, judge
    from hw_models.certificate.files import (
        certificate_of,
        check_numbers,
        read_certificate,
        write_certificate,
    )
    from hw_models.certificate.model import Certificate

__all__ = [
    "Certificate",
    "Verdict",
    "certificate_of",
    "certify",
    "check_numbers",
    "judge",
    "read_certificate",
    "write_certificate",
]

_HOMES = {
    "hw_models.certificate.certify": ("certify",),
    "hw_models.certificate.claim": ("Verdict", "judge"),
    "hw_models.certificate.model": ("Certificate",),
    "hw_models.certificate.files": (
        "certificate_of",
        "check_numbers",
        "read_certificate",
        "write_certificate",
    ),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'hw_models.certificate' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

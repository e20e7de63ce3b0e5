"""Certificates: what was measured about a board, how well its file predicts it, and where."""

from hw_models.certificate.model import (
    Certificate,
    certificate_of,
    parse_certificate,
    read_certificate,
    write_certificate,
)

__all__ = [
    "Certificate",
    "certificate_of",
    "parse_certificate",
    "read_certificate",
    "write_certificate",
]

"""A certificate authority of one's own, and the server certificate that it signs."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

VALID_DAYS: Final = 30


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Files of a deployment: who is trusted, and with what the server shows who it is."""

    authority: Path
    certificate: Path
    key: Path


def make_certificates(folder: Path, host: str = "127.0.0.1") -> Certificates:
    """New keys and certificates for an address, valid for a month.

    The authority's own key is not kept: nothing else can be signed later. The server's key file
    is for its owner's eyes alone.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _certificate("edgetwin federation", root_key, root_key, [])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(host))]
    server = _certificate(host, key, root_key, names)
    found = Certificates(
        authority=folder / "ca.pem", certificate=folder / "server.pem", key=folder / "server.key"
    )
    found.authority.write_bytes(_pem(root))
    found.certificate.write_bytes(_pem(server))
    found.key.touch(mode=0o600)
    found.key.write_bytes(_pem(key))
    return found


def _certificate(
    name: str,
    key: "EllipticCurvePrivateKey",
    signer: "EllipticCurvePrivateKey",
    names: "list[x509.GeneralName]",
) -> "x509.Certificate":
    """Of an authority if it signs itself, else of a server with these names."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    subject, issuer = (
        x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, text)])
        for text in (name, "edgetwin federation")
    )
    start, own = datetime.now(UTC) - timedelta(minutes=5), key is signer
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=own, path_length=0 if own else None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    )
    if own:
        usage = dict.fromkeys(_USES, False) | {"key_cert_sign": True, "crl_sign": True}
        builder = builder.add_extension(x509.KeyUsage(**usage), True)
    else:
        issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(issued_by, False)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    return builder.sign(signer, hashes.SHA256())


_USES: Final = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
    *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


def _pem(thing: "x509.Certificate | EllipticCurvePrivateKey") -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization as s

    if isinstance(thing, x509.Certificate):
        return thing.public_bytes(s.Encoding.PEM)
    plain = s.NoEncryption()
    return thing.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, plain)

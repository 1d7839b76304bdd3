"""Who a process is: a key made at its start, never written down, and the certificate that others pin.

There is no authority: a peer is trusted because its very certificate was announced over a channel that the deployment
trusts (the driver's). Mutual TLS 1.3 then proves that the peer holds the key.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import secrets
import ssl
import tempfile
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

__all__ = ["Identity", "fingerprint_of", "is_pinned"]

_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
_NO_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""RFC 5280, 4.1.2.5: a certificate without an expiration date."""
_NO_CHECK_TIME: Final = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the ssl module does not name."""


def fingerprint_of(certificate: bytes) -> str:
    """SHA-256 of a DER certificate, in hex."""
    return hashlib.sha256(certificate).hexdigest()


def is_pinned(sock: ssl.SSLSocket, certificate: bytes) -> bool:
    """Whether the other end of a finished handshake showed exactly this certificate (DER)."""
    shown = sock.getpeercert(binary_form=True)
    return shown is not None and hmac.compare_digest(shown, certificate)


class _TlsSocket(ssl.SSLSocket):
    """Closes itself where its peer is gone before the handshake: `wrap_socket` would raise and lose it unclosed."""

    def getpeername(self) -> Any:
        try:
            return super().getpeername()
        except OSError as error:
            if self.version() is None:
                self.close()
                raise ConnectionResetError(errno.ECONNRESET, "the peer hung up before the TLS handshake") from error
            raise


class Identity:
    """A name, an EC P-256 key and its self-signed certificate. It cannot be pickled: the key stays in its process."""

    __slots__ = ("_key", "certificate", "fingerprint", "name")

    name: str
    certificate: bytes
    """DER, public."""
    fingerprint: str

    def __init__(self, name: str, key: ec.EllipticCurvePrivateKey, certificate: bytes) -> None:
        self.name = name
        self.certificate = certificate
        self.fingerprint = fingerprint_of(certificate)
        self._key = key

    @classmethod
    def create(cls, name: str) -> Identity:
        """A fresh key and certificate for `name`."""
        return cls(name, *cls.made(name))

    @staticmethod
    def made(name: str) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
        """A fresh key and its certificate (DER), for whoever keeps them."""
        key = ec.generate_private_key(ec.SECP256R1())
        # X.509 allows 64 characters; the name is for humans, the pinned bytes are what counts.
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64] or "party")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_BEGIN)
            .not_valid_after(_NO_END)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        return key, certificate.public_bytes(Encoding.DER)

    def server_context(self, peer_certificate: bytes) -> ssl.SSLContext:
        """TLS 1.3 for the accepting side; only the holder of `peer_certificate` gets through the handshake."""
        context = self._context(ssl.PROTOCOL_TLS_SERVER, peer_certificate)
        # Session tickets would lie unread in the peer's buffer; closing a socket with unread bytes sends a reset, which
        # may destroy data that is still on its way. Nothing is ever resumed here.
        context.num_tickets = 0
        return context

    def client_context(self, peer_certificate: bytes) -> ssl.SSLContext:
        """TLS 1.3 for the dialling side; only the holder of `peer_certificate` gets through the handshake."""
        return self._context(ssl.PROTOCOL_TLS_CLIENT, peer_certificate)

    def open_context(self) -> ssl.SSLContext:
        """TLS 1.3 for an accepting side that does not know its guest's certificate yet."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.num_tickets = 0
        self._load_key(context)
        return context

    def _context(self, protocol: int, peer_certificate: bytes) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.sslsocket_class = _TlsSocket
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # addresses change, names prove nothing: the certificate itself is pinned
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= _NO_CHECK_TIME  # nor do dates: the clocks of members may be years apart
        context.load_verify_locations(cadata=peer_certificate)
        self._load_key(context)
        return context

    def _load_key(self, context: ssl.SSLContext) -> None:
        """The ssl module takes keys from files only: an anonymous one in memory, else an encrypted one, soon gone."""
        chain = ssl.DER_cert_to_PEM_cert(self.certificate).encode()
        try:
            file = os.memfd_create("icm", os.MFD_CLOEXEC)
        except (AttributeError, OSError):
            self._load_encrypted(context, chain)
            return
        try:
            _write_all(file, chain + self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            path = f"/proc/self/fd/{file}"
            if os.path.exists(path):
                context.load_cert_chain(path)
                return
        finally:
            os.close(file)
        self._load_encrypted(context, chain)

    def _load_encrypted(self, context: ssl.SSLContext, chain: bytes) -> None:
        password = secrets.token_bytes(32)
        key = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
        file, path = tempfile.mkstemp(prefix="icm-")  # mode 0600
        try:
            _write_all(file, chain + key)
            context.load_cert_chain(path, password=password)
        finally:
            os.close(file)
            os.unlink(path)

    def __repr__(self) -> str:
        return f"Identity(name={self.name!r}, fingerprint={self.fingerprint[:16]})"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("an Identity holds a private key and stays in its process; share its certificate instead")


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]

"""An instance's long-term key. Its certificate is its name: others pin it, no authority stands behind it.

What the key signs says what it is for, so that a signature is good for one purpose alone: ECDSA over P-256 with SHA-256
(FIPS 186-5) of  "icm-ray/<purpose>/1" || 0 || payload.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Self, cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from icm_ray.errors import InstanceError
from icm_ray.instance.files import read_bytes, write_bytes
from icm_ray.transport import Identity

__all__ = ["STOLEN", "InstanceKey", "is_signed"]

_KEY: Final = "key.pem"
_CERTIFICATE: Final = "certificate.der"
STOLEN: Final = (
    "If somebody else may have read the key, do not rotate it: tell peers to icm peers --revoke it, make an instance "
    "anew (icm init, in another folder), and meet again"
)
"""What to do about a key that was open to others: its thief could sign the next one."""


class InstanceKey:
    """The key of the organisation `name`. It is in its folder, mode 0600, and in this process."""

    __slots__ = ("_key", "identity")

    identity: Identity
    """For TLS."""

    def __init__(self, name: str, key: ec.EllipticCurvePrivateKey, certificate: bytes) -> None:
        self.identity, self._key = Identity(name, key, certificate), key

    @classmethod
    def create(cls, name: str, folder: Path) -> Self:
        """Make a key and keep it. Errors: `InstanceError` where there is one already, or the folder cannot be
        written.
        """
        if (folder / _KEY).exists():
            raise InstanceError(f"{folder}: there is a key already", path=str(folder))
        key, certificate = Identity.made(name)
        write_bytes(folder / _CERTIFICATE, certificate)
        write_bytes(folder / _KEY, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return cls(name, key, certificate)

    @classmethod
    def load(cls, name: str, folder: Path) -> Self:
        """The key that was made there. Errors: `InstanceError`: there is none, others may read it, it is damaged."""
        path = folder / _KEY
        pem, certificate = read_bytes(path), read_bytes(folder / _CERTIFICATE)
        if pem is None or certificate is None:
            raise InstanceError(f"{folder}: there is no key; icm init makes one", path=str(folder))
        if path.stat().st_mode & 0o077:
            raise InstanceError(f"{path}: others may read the key: chmod 600. {STOLEN}", path=str(path))
        try:
            key = load_pem_private_key(pem, None)
            public = x509.load_der_x509_certificate(certificate).public_key()
        except ValueError:
            raise InstanceError(f"{folder}: the key or its certificate is damaged", path=str(folder)) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != public:
            raise InstanceError(f"{folder}: the certificate is not this key's", path=str(folder))
        return cls(name, key, certificate)

    @property
    def certificate(self) -> bytes:
        """DER, public."""
        return self.identity.certificate

    def sign(self, purpose: str, payload: bytes) -> bytes:
        """A signature that is good for this purpose alone."""
        return self._key.sign(_bound(purpose, payload), ec.ECDSA(hashes.SHA256()))

    def __repr__(self) -> str:
        return f"InstanceKey({self.identity!r})"


def is_signed(certificate: bytes, purpose: str, payload: bytes, signature: bytes) -> bool:
    """Whether the holder of a certificate's key signed this payload for this purpose."""
    try:
        key = cast(ec.EllipticCurvePublicKey, x509.load_der_x509_certificate(certificate).public_key())
        key.verify(signature, _bound(purpose, payload), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError, AttributeError, TypeError):
        return False
    return True


def _bound(purpose: str, payload: bytes) -> bytes:
    return f"icm-ray/{purpose}/1".encode() + b"\0" + payload

"""What stands in the way of a network: one finding for each unsupported operation, with a hint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from icm_ray.errors import UnsupportedError

__all__ = ["Finding", "hint_for", "unsupported"]


@dataclass(frozen=True, slots=True)
class Finding:
    """An unsupported operation: `module` is its path in the network ('' for the root), `op` torch's name for it.

    source: the line of the network's code that it comes from, as 'net.py:12'; '' where that is not known.
    """

    module: str
    op: str
    hint: str
    source: str = ""

    def __str__(self) -> str:
        line = f" ({self.source})" if self.source else ""
        return f"{self.module or '(the network itself)'}: {self.op}{line}: {self.hint}"


_RANDOM = "dropout is on although the network is in eval mode; pass training=self.training"

_SHAPED = "the shape of its result depends on private values; torch.where(mask, x, 0) keeps it"
_DECOMPOSED = (
    "matrices of activations are not inverted or decomposed; do it with constants, or with the revealed result"
)
_COMPLEX = "complex numbers are not supported; a Fourier transform is a product with constant cosines and sines"
_SPECIAL = "the engine computes no gamma, Bessel or inverse error functions; compute it from the revealed result"
_COUNTED = "it counts equal values; compare with each value that counts, as in (x.unsqueeze(-1) == values).sum(1)"
_ROWS = "it compares the rows of a batch, which may not be mixed; torch.cdist compares those of a sample"
_HINTS: Mapping[str, str] = MappingProxyType(
    {
        "_native_batch_norm_legit": (
            "it normalises with statistics of the batch, so that a row's result depends on the others;"
            " train it with track_running_stats=True, or use an instance norm"
        ),
        "cond": "a branch on private values is not supported",
        "slice_scatter": "writing into a part of a tensor is not supported; build it with torch.cat or F.pad",
        **dict.fromkeys(("nonzero", "nonzero_numpy", "argwhere", "masked_select", "_unique2", "unique_dim"), _SHAPED),
        **dict.fromkeys(
            (
                *("view_as_complex", "complex", "polar", "_fft_r2c", "_fft_c2c", "_fft_c2r", "stft", "istft"),
                *(f"fft_{kind}fft{axes}" for kind in ("", "i", "r", "ir") for axes in ("", "2", "n")),
            ),
            _COMPLEX,
        ),
        **dict.fromkeys(("linalg_det", "linalg_inv", "linalg_solve", "linalg_qr", "linalg_svd"), _DECOMPOSED),
        **dict.fromkeys(("linalg_svdvals", "linalg_cholesky", "linalg_eigh", "matrix_exp", "inverse"), _DECOMPOSED),
        **dict.fromkeys(("det", "linalg_slogdet", "linalg_matrix_norm"), _DECOMPOSED),
        **dict.fromkeys(("lgamma", "mvlgamma", "digamma", "polygamma", "erfinv", "i0", "special_log_ndtr"), _SPECIAL),
        **dict.fromkeys(("histc", "bincount", "mode"), _COUNTED),
        **dict.fromkeys(("pdist", "_pdist_forward", "cov", "corrcoef"), _ROWS),
        "as_strided": "it names places by steps in memory; slices, unfold and index_select name them by axes",
        "masked_scatter": _SHAPED,
        "bernoulli": _RANDOM,
        "native_dropout": _RANDOM,
    }
)


def hint_for(op: str) -> str:
    """What to do about an operation, by torch's name for it ('aten.gelu.default' or 'gelu')."""
    parts = op.split(".")
    name = parts[1] if len(parts) > 1 and parts[0] == "aten" else parts[0]
    return _HINTS.get(
        name, "the engine does not have it; write it with what docs/models.md lists, or compute it from the result"
    )


def unsupported(findings: Sequence[Finding]) -> UnsupportedError:
    """The error that names every finding."""
    lines = "\n".join(f"  {finding}" for finding in findings)
    count = f"{len(findings)} operation" + ("s" if len(findings) > 1 else "")
    return UnsupportedError(
        f"the network has {count} that the engine does not support:\n{lines}",
        findings=[(finding.module, finding.op, finding.hint) for finding in findings],
    )

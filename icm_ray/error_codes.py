"""The stable code of every error of `icm_ray.errors`: what it means, whence it comes and what to do.

A code never changes its meaning and is never given away again. `docs/errors.md`, a page for each code in
the built documentation, and `icm help E305` say what is here.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import msgspec

from icm_ray import errors
from icm_ray.errors import IcmError

__all__ = ["CODES", "ErrorCode", "code_of", "error_code"]


class ErrorCode(msgspec.Struct, frozen=True):
    """kind: the class. says: what happened, a sentence. seen_by: who has it. cause: what it mostly comes from. remedy:
    what to do. example: a message of that kind, as the code says it; "" for a kind that is never raised itself.
    """

    code: str
    kind: type[IcmError]
    says: str
    seen_by: str
    cause: str
    remedy: str
    example: str

    @property
    def paragraphs(self) -> tuple[tuple[str, str], ...]:
        """What its page says, each with what it is about; the first is what happened."""
        told = (
            ("What happened", self.says),
            ("Who sees it", self.seen_by),
            ("Cause", self.cause),
            ("Remedy", self.remedy),
            ("Example", f"{self.example} [{self.code}]"),
        )
        return told if self.example else told[:-1]


CODES: Final = (
    ErrorCode(
        "E001",
        errors.IcmError,
        "The engine refuses something, or something fails, and no kind below fits.",
        "Nobody: what is raised is of a kind below.",
        "This is the root of all others, and is raised by none of today's code.",
        "Catch it to catch every error of the engine.",
        "",
    ),
    ErrorCode(
        "E100",
        errors.InputError,
        "An argument or a setting cannot be what it is; nothing was shared.",
        "Whoever asks, in the own process or at the own command line.",
        "A number out of its range, a text that is none of those allowed, an environment variable that is no number.",
        "The message names the argument, its value and what is allowed; correct it and ask again.",
        "ddof must be a whole number from 0 on, not -1",
    ),
    ErrorCode(
        "E101",
        errors.ColumnError,
        "A column is unknown or missing, is not of one kind at all owners, or holds no numbers.",
        "Whoever asks.",
        "A name that is spelled otherwise, an owner whose file lacks the column, text where a number is needed.",
        "Use the name that the message suggests, or give all owners' files the same columns and kinds.",
        "no column 'aeg'; did you mean 'age'?",
    ),
    ErrorCode(
        "E102",
        errors.NullError,
        "A value is null, NaN or infinite where only finite numbers are taken.",
        "Whoever asks; the rows or weights with such a value are an owner's own.",
        "Missing values in an owner's rows, or a division by zero before they were shared.",
        "Leave such rows out (`dropna`), fill them (`fillna`), or choose a statistic that leaves them out by itself.",
        "cost: NaN or infinite values cannot be shared",
    ),
    ErrorCode(
        "E103",
        errors.BoundError,
        "A value exceeds its declared bound, or the ring of 64 bits cannot hold what a bound allows.",
        "Whoever asks.",
        "A bound that was stated too small, or sums and products of numbers that may be very large.",
        "Declare bounds that hold (`bounds=`), or narrower ones where the ring is too small.",
        "the bound of 'cost' must be above 0, not -1",
    ),
    ErrorCode(
        "E104",
        errors.ShapeError,
        "Shapes or dtypes do not fit together.",
        "Whoever asks.",
        "Inputs of a model of other sizes than its example inputs, arrays of unequal length.",
        "Give arrays of the shape and dtype that the message names.",
        "there are 3 ids; inputs have 4 rows",
    ),
    ErrorCode(
        "E105",
        errors.OwnerError,
        "An owner or a recipient is not there, or nobody brings data.",
        "Whoever asks.",
        "A name that is spelled otherwise, a peer that was not approved, a dataset that an owner does not offer.",
        "Take a name of those that the message lists; for a peer: `icm peers`.",
        "bob offers no dataset 'visit' to alice; it offers visits, lesions",
    ),
    ErrorCode(
        "E106",
        errors.SourceError,
        "A file is missing, was changed since it was opened, or cannot be read.",
        "Whoever asks; the file is on its owner's node.",
        "A path that is no path on the owner's own node, a file that is no Parquet or CSV, missing permissions.",
        "Put the file where the path says, whole; open the dataset anew where its files were changed.",
        "owner 'alice': 'north.csv' is relative, and paths belong to the owner's node; make it absolute",
    ),
    ErrorCode(
        "E107",
        errors.UnsupportedError,
        "The engine does not have an operation or a layer.",
        "Whoever asks.",
        "Something of pandas, SQL or torch that is not computed on shares.",
        "The message says what to ask instead, where there is something; the pages on SQL, models and pandas list all.",
        "frames do not change: frame = frame.drop(columns='ward')",
    ),
    ErrorCode(
        "E201",
        errors.ProgramError,
        "A program, a plan or a request is not well formed.",
        "Whoever asks, by whatever worker or instance was sent it.",
        "Messages of another release of icm-ray, or somebody who sends what no question implies.",
        "Run the same release of icm-ray everywhere (`icm check NAME` compares).",
        "a question of 2 programs, none of number 3",
    ),
    ErrorCode(
        "E202",
        errors.PolicyError,
        "The policy of a dataset forbids a result, or an owner's worker refuses to take part.",
        "Whoever asks; owners find what was refused in `icm audit`.",
        "Too few rows behind a result, an operation or a recipient that the owner does not allow, questions whose "
        "difference tells of few rows.",
        "Ask about more rows, or for what the policy allows: `explain()` says what would be opened and by which rule. "
        "The owner alone can change its policy.",
        "mean of cost has 2 rows behind it, the policy asks for 10",
    ),
    ErrorCode(
        "E300",
        errors.SessionError,
        "The session cannot be used.",
        "Whoever opens or uses a session.",
        "A folder that is open to others, a member that is not in the lane, lanes that cannot be assembled.",
        "The message says what stands in the way; open a new session once it is mended.",
        "the directory /srv/icm must be this user's own and closed to all others (mode 0700)",
    ),
    ErrorCode(
        "E301",
        errors.SessionClosed,
        "The session was closed, and what belongs to it cannot be used any more.",
        "Whoever uses it.",
        "A `with` block that has ended, or `close()`.",
        "Open a new session, and the frames and models in it.",
        "the session was closed",
    ),
    ErrorCode(
        "E302",
        errors.PlacementError,
        "There is no place for a worker.",
        "Whoever opens a session, or asks between organisations for the first time.",
        "No node of the cluster bears the party's label or has the cores, or all ports of a worker's range are taken.",
        "Label a node, free cores, or widen `worker_ports` in icm.toml; `icm doctor` counts the ports that are free.",
        "bob cannot listen: all ports from 7810 to 7812 are taken (worker_ports)",
    ),
    ErrorCode(
        "E303",
        errors.StockError,
        "The directory of prepared randomness cannot be made, opened or written.",
        "Whoever opens a session with a stock, or prepares randomness in one.",
        "A disk that is full, a folder that is another user's or open to others.",
        "Make room or mend the folder that the message names; the session stays usable, randomness is dealt live.",
        "alice: the stock in /srv/stock cannot be written or opened: No space left on device; make room or name "
        "another directory (stock=, or TMPDIR where none is named)",
    ),
    ErrorCode(
        "E305",
        errors.InstanceError,
        "An organisation's instance is not set up for what it was asked, or will not do it.",
        "Whoever types a command of an instance's, and who asks a peer.",
        "No instance in the folder, one that does not serve, a peer that is unknown or not approved, a ticket that has "
        "expired or was used, a limit that is reached, a file that others may read.",
        "The message says which. `icm status` shows whether the instance serves and whom it knows, `icm doctor` "
        "examines its folder, `icm check NAME` the way to a peer.",
        "/home/bob/icm: there is no instance; icm init makes one",
    ),
    ErrorCode(
        "E306",
        errors.LedgerChanged,
        "Other sessions asked about the same dataset at the same time; nothing was opened.",
        "Whoever asks, after a minute of being asked again by itself.",
        "Several people, or several notebooks, that ask about one dataset all the time: each question is held against "
        "those before it, one at a time.",
        "Ask again.",
        "others ask about the dataset visits all the time; ask again",
    ),
    ErrorCode(
        "E400",
        errors.FaultError,
        "A worker or a connection failed in the middle of a job; party, partition and step are in the message.",
        "Whoever asks.",
        "A process that was killed, memory that ran out, a fault of the engine.",
        "Ask again: a job starts anew with fresh randomness. Where it fails each time, the log of the party that is "
        "named says more.",
        "bob gives a peer's worker 4294967296 bytes of memory (worker_bytes in the limits of its icm.toml), and "
        "this takes more: ask about fewer rows, columns or groups at once",
    ),
    ErrorCode(
        "E401",
        errors.PeerLost,
        "The process or the connection of a peer is gone.",
        "Whoever asks, and who types a command that reaches a peer.",
        "A worker or an instance that ended or was killed, a network that was cut, an address where nobody listens.",
        "`icm check NAME`, and `icm status` at the peer's; then ask again.",
        "bob is not connected, and only it can dial",
    ),
    ErrorCode(
        "E402",
        errors.PeerSilent,
        "A peer sent nothing, not even a sign of life, for longer than the limit.",
        "Whoever asks, and who types a command that reaches a peer.",
        "A machine that is suspended or overloaded, a firewall that drops packets without a word.",
        "`icm check NAME`; longer limits (`silence`, `start_timeout`, `job_timeout`) where a machine is only slow.",
        "bob's instance did not answer within 15 s",
    ),
    ErrorCode(
        "E403",
        errors.PeerRefused,
        "A peer could not prove who it is, or refuses this one.",
        "Whoever asks, joins or checks a peer.",
        "Another certificate than the one that is pinned (a new key, or somebody in between), or a peer that has not "
        "approved this organisation.",
        "Compare the six words (`icm peers` on both sides); where they differ, revoke the peer and meet again by a "
        "ticket.",
        "whoever is at 192.0.2.7:7800 is not alice: another certificate than the ticket's",
    ),
    ErrorCode(
        "E404",
        errors.Desynchronised,
        "A message came that belongs to something else, or is none.",
        "Whoever asks.",
        "Members with different releases of icm-ray, or somebody else at an address.",
        "Run the same release everywhere (`icm check NAME` compares), and ask again.",
        "bob sent something else than its datasets",
    ),
    ErrorCode(
        "E405",
        errors.AddressReused,
        "Randomness that was dealt, or the name of a link, was asked for twice.",
        "Whoever asks.",
        "An attempt that was repeated under its old number, or somebody who replays messages. Nothing was used twice.",
        "Ask again; where it comes back, tell the dealer's organisation.",
        "attempt 3 was used before",
    ),
    ErrorCode(
        "E406",
        errors.BoundExceeded,
        "A private value exceeds the checked bound of a program; the result would be wrong, and is withheld.",
        "Whoever asks; all parties learn that a bound was exceeded, and nothing of the value.",
        "Rows or activations larger than was declared or calibrated.",
        "Declare larger bounds, calibrate the model with more typical inputs, or `errors=\"mask\"` for predictions.",
        "the checked bound of the activations was exceeded; the result is withheld. Declare a larger bound",
    ),
    ErrorCode(
        "E407",
        errors.PoolExhausted,
        "The random order of a sort needed more comparisons than were dealt.",
        "Whoever asks.",
        "Chance: less than once in 2^40 sorts.",
        "Ask again.",
        "a random order of 1000 elements needs more than 1600 comparisons in one batch; run the program again",
    ),
    ErrorCode(
        "E408",
        errors.StockMismatch,
        "Members disagree on prepared randomness, or a member's store of it is damaged. Nothing was shared.",
        "Whoever asks.",
        "A store that was copied, restored from a backup or damaged.",
        "Ask again: that stock was given up, and the next run is dealt live. Do not back up stores.",
        "alice's stock was opened at slot 4, the dealer's at 6: it was copied, restored from a backup, or left "
        "behind by a crash; nothing was shared, and the stock of this program is given up",
    ),
)  # fmt: skip
"""All of them, by code."""

_BY_KIND: Final = MappingProxyType({item.kind: item for item in CODES})


def error_code(kind: type[IcmError]) -> ErrorCode:
    """That of a class, or of the class that it is a kind of."""
    return next(_BY_KIND[parent] for parent in kind.__mro__ if parent in _BY_KIND)


def code_of(text: str) -> ErrorCode:
    """What a code means, however it is written (E305, e305, 305). Errors: `InputError` for what is no code."""
    wanted = text.strip().strip("[]").upper()
    for item in CODES:
        if wanted in {item.code, item.code[1:]}:
            return item
    raise errors.InputError(f"{text!r} is no code; there are {', '.join(item.code for item in CODES)}")

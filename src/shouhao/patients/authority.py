"""Authority: the port through which somebody who knows says whether a name and a document are one person.

It is asked for a yes or no only, outside any database transaction. What it said is kept as it was signed, so that it
can be checked again. `protocols/identity_authority.py` speaks to one over the network.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

AuthorityKind = Literal["format_only", "authority"]
Outcome = Literal["match", "mismatch", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityQuestion:
    """Are these one person? The nonce binds the answer to this very question."""

    name: str
    document_kind: str
    document_number: str
    nonce: str

    def __repr__(self) -> str:
        """Nothing of the person: this may end in a traceback."""
        return f"IdentityQuestion(nonce={self.nonce!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the authority said; `unknown` is neither yes nor no, and a person looks instead."""

    outcome: Outcome
    signed_text: str | None = None  #: what was signed and its signature; no name and no number in it


class IdentityAuthority(Protocol):
    """Somebody who knows."""

    @property
    def name(self) -> str:
        """A short word for it, kept with each verdict."""
        ...

    @property
    def kind(self) -> AuthorityKind:
        """Whether it knows people or only numbers."""
        ...

    def verify(self, question: IdentityQuestion) -> Verdict:
        """Ask.

        Raises:
            Unavailable: it does not answer now.
            Tampered: an answer came that the authority did not give to this question.
        """
        ...


class FormatOnlyAuthority:
    """Knows only that a number is well formed, which was checked at the door: for trying out, and it says so.

    A patient whom it confirmed is `verified_by = "format_only"` for as long as nobody better has looked.
    """

    name = "format_only"
    kind: AuthorityKind = "format_only"

    def verify(self, question: IdentityQuestion) -> Verdict:  # noqa: ARG002 - the port's shape
        """Always a match: the format was checked when the patient was registered."""
        return Verdict(outcome="match")


def verified_by(authority: IdentityAuthority) -> str:
    """How a confirmation by it is recorded."""
    return "format_only" if authority.kind == "format_only" else f"authority:{authority.name}"

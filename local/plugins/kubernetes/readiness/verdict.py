"""What one look at an object says."""

from __future__ import annotations

from dataclasses import dataclass

NEVER = float("inf")
"""Patience for what may still pass: it is told at the deadline only."""


@dataclass(frozen=True)
class Problem:
    """Something that stands in the way."""

    subject: str
    """`Pod iris-v1-abc, container model` - the same problem is recognised by subject and cause."""
    cause: str
    """One word: the reason of Kubernetes, `ErrImagePull`."""
    story: str
    """The reason in full, for the user."""
    patience: float = NEVER
    """Seconds that it may last before it counts as final."""


@dataclass(frozen=True)
class Verdict:
    """Ready, or how far it is and what stands in the way."""

    ready: bool
    note: str = ""
    problems: tuple[Problem, ...] = ()
    next_step: str = ""
    """The command that shows more."""
    settle: float = 0.0
    """Seconds for which it must stay ready to be believed."""


READY = Verdict(ready=True)

"""Reasons: yes, or no and why."""

import attrs


@attrs.frozen(kw_only=True)
class Reason:
    """An answer to the question whether a run is wanted, with its sentence."""

    fits: bool
    why: str

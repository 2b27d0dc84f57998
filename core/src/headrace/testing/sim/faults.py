"""What goes wrong in a world, and how often. Each seed has its own temper: a few kinds of fault, often, find more than all kinds, rarely."""

from collections.abc import Sequence
from random import Random
from typing import Any

import attrs

CALLS = ("late", "late answer", "lost request", "lost answer", "doubled", "asked again", "killed before", "killed after")
TRANSACTIONS = ("waits", "slow", "busy", "fails at the end")
HAPPENINGS = ("kill agent", "kill code", "kill supervisor", "kill machine", "sleep", "clock", "drain", "stop")
STARTS = ("refused", "failed", "slow", "killed before", "killed after", "remark")


@attrs.frozen(kw_only=True)
class Faults:
    """Which kinds of fault there are, and with which share of calls, transactions and starts one comes. `pause` is seconds between happenings."""

    calls: float = 0.0
    call_kinds: Sequence[str] = ()
    transactions: float = 0.0
    transaction_kinds: Sequence[str] = ()
    starts: float = 0.0
    start_kinds: Sequence[str] = ()
    pause: float = 10.0
    happening_kinds: Sequence[str] = ()


NONE = Faults()


def drawn(random: Random) -> Faults:
    """The temper of a seed."""

    def some(kinds: Sequence[str]) -> Sequence[str]:
        return random.sample(kinds, random.randint(1, len(kinds))) if random.random() < 0.8 else ()

    def share(kinds: Sequence[Any], most: float) -> float:
        return random.uniform(0.01, most) if kinds else 0.0

    calls, transactions, starts, happenings = some(CALLS), some(TRANSACTIONS), some(STARTS), some(HAPPENINGS)
    return Faults(
        calls=share(calls, 0.25),
        call_kinds=calls,
        transactions=share(transactions, 0.15),
        transaction_kinds=transactions,
        starts=share(starts, 0.4),
        start_kinds=starts,
        pause=random.choice((4.0, 8.0, 16.0)),
        happening_kinds=happenings,
    )

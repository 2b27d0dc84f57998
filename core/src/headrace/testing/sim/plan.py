"""What the code of a run is going to do."""

from random import Random

import attrs

TAGS = ("database", "printer")


@attrs.frozen(kw_only=True)
class Call:
    """A call of a task, or of a subflow: how long it takes, how often it fails at first, and how often it may be tried again."""

    seconds: float
    tag: str | None = None
    failures: int = 0
    retries: int = 0
    is_subflow: bool = False


@attrs.frozen(kw_only=True)
class Plan:
    """How long it takes to load the code; its calls; how it ends. A deaf one does not hear that it is to end. A named one names its run."""

    loading: float
    calls: tuple[Call, ...]
    end: str
    is_deaf: bool = False
    is_named: bool = False


def drawn(random: Random, *, is_calm: bool) -> Plan:
    """What the code of some run will do; where all is calm, it ends by itself."""
    chance = random.random()
    end = "completes" if chance < 0.7 else "fails" if chance < 0.88 else "dies" if chance < 0.97 or is_calm else "hangs"
    return Plan(
        loading=random.choice((0.1, 0.5, 3.0)),
        calls=tuple(_call(random) for _ in range(random.randint(0, 3))),
        end=end,
        is_deaf=not is_calm and random.random() < 0.1,
        is_named=random.random() < 0.1,
    )


def _call(random: Random) -> Call:
    failures = random.choice((0, 0, 0, 1, 2))
    return Call(
        seconds=random.choice((0.2, 1.0, 4.0, 12.0)),
        tag=random.choice((None, *TAGS)),
        failures=failures,
        retries=random.choice((0, 1, 2)) if failures else 0,
        is_subflow=random.random() < 0.15,
    )

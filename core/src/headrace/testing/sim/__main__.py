"""The simulation of some seeds, from the command line: `python -m headrace.testing.sim SEED` shows its trace, `FIRST LAST` looks for broken ones."""

import sys

from headrace.testing.sim.simulation import Sim


def main(arguments: list[str]) -> int:
    """The exit code: 1 where something did not hold."""
    match [int(argument) for argument in arguments if argument.isdecimal()]:
        case [seed]:
            outcome = Sim(seed).run()
            print(outcome.trace)
            return int(bool(outcome.broken))
        case [first, last]:
            return _looked_through(range(first, last + 1))
    print(__doc__, file=sys.stderr)
    return 2


def _looked_through(seeds: range) -> int:
    broken = 0
    for seed in seeds:
        outcome = Sim(seed).run()
        if outcome.broken:
            broken += 1
            print(f"seed {seed}: {outcome.broken}", flush=True)
    print(f"{len(seeds)} seeds, {broken} of them broken")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

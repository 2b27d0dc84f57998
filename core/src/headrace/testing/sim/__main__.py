"""The simulation of some seeds, from the command line: `python -m headrace.testing.sim SEED` shows its trace, `FIRST LAST` looks for broken ones."""

import sys

from headrace.testing.sim.simulation import Sim


def main(arguments: list[str]) -> int:
    """The exit code: 1 where something did not hold."""
    seeds = [int(argument) for argument in arguments]
    if len(seeds) == 1:
        outcome = Sim(seeds[0]).run()
        print(outcome.trace)
        return int(bool(outcome.broken))
    broken = [outcome for seed in range(seeds[0], seeds[1] + 1) if (outcome := Sim(seed).run()).broken]
    for outcome in broken:
        print(f"seed {outcome.seed}: {outcome.broken}")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

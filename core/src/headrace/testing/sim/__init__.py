"""Sim: queues, agents, leases, restarts and runs, whole, under virtual time and injected faults.

Real is whatever decides or remembers: the orchestration, its store in memory, the rules, agents, services, a run's journal. Played are what would
take time or have to die: the processes of runs, machines, the wire, people. All chance comes from one seed, so a seed that fails fails again.

Time is virtual, and nothing runs in parallel. A call that is under way, or waits for the store, lets time pass; meanwhile others act, and one of
those may kill whoever called.
"""

from headrace.testing.sim.simulation import Outcome, Sim

__all__ = ["Outcome", "Sim"]

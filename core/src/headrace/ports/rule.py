"""The port of rules: what a plugin's extra rule must be."""

from headrace.rules.facts import Fact, Facts
from headrace.rules.rule import ANY, Moves, Rule, moves
from headrace.rules.verdicts import Answer, Verdict, accepted, refused, replaced, wait

__all__ = ["ANY", "Answer", "Fact", "Facts", "Moves", "Rule", "Verdict", "accepted", "moves", "refused", "replaced", "wait"]

"""The rules of core are rules."""

import pytest

from headrace.rules.decide import FIRST, STANDARD
from headrace.testing.conformance.rule import RuleConformance


@pytest.mark.parametrize("rule", [*FIRST, *STANDARD], ids=lambda rule: rule.name)
class TestRulesOfCore(RuleConformance):
    """Each of them."""

"""What a person is told about a run that waits."""

from headrace.model.explanations import Explanation


def advice(explanation: Explanation) -> str:
    """What somebody must do so that the run is started; empty where nothing is missing."""
    hindrance = explanation.hindrance
    if hindrance is None:
        return ""
    return f"{hindrance.sentence}; try: {hindrance.advice}" if hindrance.advice else hindrance.sentence

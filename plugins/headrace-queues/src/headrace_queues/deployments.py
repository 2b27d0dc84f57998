"""The queue matcher `deployments`."""

from typing import Any

import attrs

from headrace.errors import WrongData
from headrace.model.reasons import Reason
from headrace.model.runs import FlowRun
from headrace.model.texts import as_texts

_WHERE = "queue matcher 'deployments'"


@attrs.frozen(kw_only=True)
class DeploymentsMatcher:
    """Wants the runs of one of these deployments. They are given by their ids: a name may come to mean another deployment."""

    def checked(self, wanted: Any) -> list[str]:
        ids = as_texts(wanted, where=_WHERE)
        for given in ids:
            if "/" in given:
                raise WrongData(where=_WHERE, why=f"{given!r} is a deployment's name; its id is needed")
        return ids

    def matches(self, wanted: Any, run: FlowRun) -> Reason:
        if run.deployment_id is None:
            return Reason(fits=False, why="it is a run of no deployment")
        if run.deployment_id in wanted:
            return Reason(fits=True, why=f"it is a run of deployment {run.deployment_id}")
        return Reason(fits=False, why="it is a run of another deployment")

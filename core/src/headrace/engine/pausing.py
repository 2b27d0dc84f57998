"""Pausing: a flow stops where it is, its process goes, and a new one goes on from there when somebody resumes the run."""

from headrace.engine.run_context import CURRENT, FlowRunContext
from headrace.errors import CannotPause


class FlowPaused(BaseException):
    """Goes through the flow's code, past what catches `Exception`, to where its run is lived."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def pause_run(message: str = "") -> None:
    """Pauses the flow run that this is called in, until `headrace flow-run resume`; `message` says what it waits for.

    No process waits meanwhile. The flow is called anew when it goes on: what its tasks have finished and kept is not computed again (`persist_result=True`),
    and this call, counted from the beginning of the flow, returns. Submitted tasks are waited for first. Raises CannotPause in a run that no agent
    started, in a subflow, and in a task.
    """
    context = CURRENT.get()
    if not isinstance(context, FlowRunContext) or context.live is None:
        raise CannotPause(why="pause_run() is called in the code of a flow that runs, not in a task or outside")
    run, live = context.flow_run, context.live
    if run.root_id != run.id:
        raise CannotPause(why="this flow was called by another one; call pause_run() in that")
    if run.max_restarts is None:
        raise CannotPause(why="no agent started this run, so none could go on with it; deploy the flow, and run the deployment")
    live.pauses += 1
    if live.pauses > run.pauses:
        raise FlowPaused(message)

"""Drivers: they perform the steps of a life, each in its own way.

`drive` performs in the calling thread and blocks; `drive_async` awaits on the running loop; `drive_behind` goes on wherever a step ended, so that any
number of submitted lives wait without a thread each.
"""

import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, TypeVar

import attrs

from headrace.engine.futures import Ended, running_loop
from headrace.engine.interruption import is_interruption, is_overdue
from headrace.engine.live_run import LiveRun
from headrace.engine.loop_thread import LoopThread, not_exiting, result_of
from headrace.engine.perform import bound_to_here, perform, perform_async
from headrace.engine.remote import remote
from headrace.engine.steps import Ask, Invoke, Life, Settle, Sleep, Step, Steps
from headrace.errors import FutureOnRunningLoop
from headrace.model.states import State
from headrace.model.texts import said_by

T = TypeVar("T")


def drive(life: Steps[T], loop: LoopThread, *, sleep: Callable[[float], object] = time.sleep) -> T:
    """Lives the life here, and blocks meanwhile; so are shorter rows of steps performed."""
    answer: Any = None
    error: BaseException | None = None
    while True:
        try:
            step = life.send(answer) if error is None else life.throw(error)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        answer, error = None, None
        try:
            answer = _performed(step, loop, sleep)
        except BaseException as raised:
            error = raised


def _performed(step: Step, loop: LoopThread, sleep: Callable[[float], object]) -> Any:
    match step:
        case Invoke():
            return _result(loop.run(not_exiting(perform_async(step)))) if step.is_async else perform(step)
        case Ask():
            return step.question()
        case Sleep():
            return sleep(step.seconds) if step.or_until is None else wait([step.or_until], step.seconds)
        case Settle():
            return _wait(step)


def _result(future: "Future[Any]") -> Any:
    """The result; an interruption here ends what is waited for."""
    try:
        return result_of(future)
    except BaseException:
        future.cancel()
        raise


def _wait(step: Settle) -> None:
    if any(isinstance(future, Ended) and future.is_stopped_here for future in step.futures):
        raise FutureOnRunningLoop(method="result")
    if step.futures:
        wait(step.futures, step.seconds)


async def drive_async(life: Life) -> State:
    """Lives the life on the running loop; nothing blocks it but user code that is not async."""
    answer: Any = None
    error: BaseException | None = None
    while True:
        try:
            step = life.send(answer) if error is None else life.throw(error)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        answer, error = None, None
        try:
            answer = await _awaited(step)
        except BaseException as raised:
            error = raised


async def _awaited(step: Step) -> Any:
    import asyncio

    match step:
        case Invoke():
            return await perform_async(step) if step.is_async else perform(step)
        case Ask():
            return await _answered(step)
        case Sleep():
            before = [] if step.or_until is None else [asyncio.wrap_future(step.or_until)]
            return await (asyncio.wait(before, timeout=step.seconds) if before else asyncio.sleep(step.seconds))
        case Settle():
            if step.futures:
                await asyncio.wait([asyncio.wrap_future(future) for future in step.futures], timeout=step.seconds)
            return None


async def _answered(step: Ask) -> Any:
    """The answer; a cancellation is felt only when it is there, so that no move is under way unseen."""
    import asyncio

    asking = asyncio.ensure_future(asyncio.to_thread(step.question))
    try:
        return await asyncio.shield(asking)
    except asyncio.CancelledError:
        await asyncio.wait([asking])
        raise


def drive_behind(life: Life, live: LiveRun, ended: "Future[State]", known: Callable[[], State]) -> None:
    """Lives the life as far as it goes now, and the rest of it wherever its steps end; `ended` gets the final state.

    Where an exception goes through it, that is the one that is `known` of it by then. An interruption that comes while this is called is raised, too.
    """
    context = contextvars.copy_context()

    def go_on(done: "Future[Any] | None") -> BaseException | None:
        while True:
            try:
                step = context.run(_next_step, life, done)
            except StopIteration as end:
                ended.set_result(end.value)
                return None
            except BaseException as error:
                ended.set_result(known() if known().is_terminal() else State.crashed(said_by(error), error))
                return error
            # No thread may be left for it, or nobody take calls any more: the life says so, and whoever waits for it hears.
            try:
                done = context.run(_begun, step, live)
            except Exception as error:
                done = Future()
                done.set_exception(error)
            if not done.done():
                done.add_done_callback(go_on)
                return None

    error = go_on(None)
    if error is not None and (is_interruption(error) or (is_overdue(error) and live.user_loop is None)):
        raise error


def _next_step(life: Life, done: "Future[Any] | None") -> Step:
    if done is None:
        return next(life)
    try:
        answer = result_of(done)
    except BaseException as error:
        return life.throw(error)
    return life.send(answer)


def _begun(step: Step, live: LiveRun) -> "Future[Any]":
    """The step, begun: a future of what comes of it."""
    match step:
        case Invoke():
            return _invoked(step, live)
        case Ask():
            return _asked(step, live)
        case Sleep():
            after = live.loop.after(step.seconds)
            return after if step.or_until is None else _first_of(after, step.or_until)
        case Settle():
            return _all_of(step.futures)


def _asked(step: Ask, live: LiveRun) -> "Future[Any]":
    """The question, asked here, or beside the event loop of the run: nothing blocks that. A plain flow blocks the loop that it was called on."""
    loop = running_loop()
    if loop is None or not (loop is live.user_loop or live.loop.is_here):
        return _at_once(step.question)
    import asyncio

    return asyncio.run_coroutine_threadsafe(asyncio.to_thread(step.question), loop)


def _invoked(call: Invoke, live: LiveRun) -> "Future[Any]":
    if not call.hand_over:
        return _on_loop(call, live) if call.is_async else _at_once(lambda: perform(call))
    if not live.task_runner.in_process:
        return _elsewhere(_in_time(call, live), live)
    if call.is_async:
        return _on_loop(_in_time(call, live), live)
    return live.runner.submit(bound_to_here(lambda: live.performers.perform(lambda: perform(_in_time(call, live)))))


def _in_time(call: Invoke, live: LiveRun) -> Invoke:
    """The call, ended with the time of the flow run that submitted it, if its own is not over before."""
    left = live.time_left
    return call if left is None or (call.timeout is not None and call.timeout <= left) else attrs.evolve(call, timeout=left)


def _on_loop(call: Invoke, live: LiveRun) -> "Future[Any]":
    """A coroutine, on the loop of the async flow that submitted it, else on the loop in its own thread."""
    if live.user_loop is None:
        return live.loop.run(not_exiting(perform_async(call)))
    import asyncio

    return asyncio.run_coroutine_threadsafe(not_exiting(perform_async(call)), live.user_loop)


def _elsewhere(call: Invoke, live: LiveRun) -> "Future[Any]":
    """A call in another process; what it said there is said here."""
    settings = live.house.settings
    away = live.runner.submit(remote(call, log_level=settings.log_level, extra_loggers=settings.extra_loggers))
    here: Future[Any] = Future()

    def back(done: "Future[Any]") -> None:
        error = done.exception()
        if error is not None:
            here.set_exception(error)
            return
        returned = done.result()
        for line in returned.logs:
            live.journal.say(line)
        if returned.error is not None:
            here.set_exception(returned.error)
        else:
            here.set_result(returned.value)

    away.add_done_callback(back)
    return here


def _at_once(function: Callable[[], Any]) -> "Future[Any]":
    future: Future[Any] = Future()
    try:
        future.set_result(function())
    except BaseException as error:
        future.set_exception(error)
    return future


def _first_of(*futures: "Future[None]") -> "Future[None]":
    """Ends when one of them has ended."""
    first: Future[None] = Future()
    lock = threading.Lock()

    def one_ended(_: "Future[None]") -> None:
        with lock:
            if first.done():
                return
            first.set_running_or_notify_cancel()
        first.set_result(None)

    for future in futures:
        future.add_done_callback(one_ended)
    return first


def _all_of(futures: "tuple[Future[Any], ...]") -> "Future[None]":
    """Ends when all have ended, however."""
    together: Future[None] = Future()
    lock = threading.Lock()
    left = len(futures)

    def one_ended(_: "Future[Any]") -> None:
        nonlocal left
        with lock:
            left -= 1
            last = left == 0
        if last:
            together.set_result(None)

    if not futures:
        together.set_result(None)
    for future in futures:
        future.add_done_callback(one_ended)
    return together

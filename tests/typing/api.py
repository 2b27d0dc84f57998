"""What users' type checkers see; never executed."""

from typing import assert_type

from headrace import Flow, State, Task, TaskFuture, TaskFutures, flow, get_run_logger, tags, task, unmapped


@task
def add(left: int, right: int = 1) -> int:
    return left + right


@task(retries=3, retry_delay_seconds=[1, 2], on_crash=[print], on_cancellation=[print])
async def fetch(address: str) -> bytes:
    return address.encode()


@flow
def whole(name: str) -> list[int]:
    get_run_logger().info("hello %s", name)
    with tags("a") as known:
        assert_type(known, set[str])
    assert_type(add(1), int)
    assert_type(add.submit(1), TaskFuture[int])
    assert_type(add.submit(1).result(), int)
    assert_type(fetch.submit("x"), TaskFuture[bytes])
    assert_type(add.map([1], unmapped(2)), TaskFutures[int])
    return [add(1)]


@flow(name="other", retries=1)
async def other() -> bytes:
    assert_type(await fetch.submit("x"), bytes)
    return await fetch("x")


assert_type(whole("x"), list[int])
assert_type(whole.with_options(retries=2)("x"), list[int])
whole(1)  # type: ignore[arg-type]
whole.with_options(name="x")(nme="x")  # type: ignore[call-arg]
add("x")  # type: ignore[arg-type]
State.completed(1).result()


def takes(of: Flow[[str], list[int]], step: Task[[int, int], int]) -> None: ...

"""Limits by flow runner, as they are typed: `docker=5`."""

from typing import Any

import click


class RunnerLimit(click.ParamType[tuple[str, int]]):
    """A flow runner and a whole number from 1 on."""

    name = "runner limit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        name, _, number = value.partition("=")
        try:
            limit = int(number)
        except ValueError:
            limit = 0
        if not name or limit < 1:
            self.fail(f"{value!r} is not the name of a flow runner with a number from 1 on, such as docker=5.", param, ctx)
        return name, limit

"""Numbers as they are typed."""

import re
from math import isfinite
from typing import Any

import click

_NEGATIVE = re.compile(r"-[0-9]")


class WholeNumber(click.IntRange):
    """A whole number within bounds."""

    name = "whole number"


class Number(click.FloatRange):
    """A number within bounds, which is one: not NaN, and not without an end."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not isfinite(number):
            self.fail(f"{value!r} is not a valid number.", param, ctx)
        return number


class NumberCommand(click.Command):
    """A command whose last argument is a number; a negative one looks like an option, and is refused as what it is."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        typed = [*args]
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            number = next((each for each in typed if _NEGATIVE.match(each) and each.startswith(error.option_name)), None)
            if number is None:
                raise
            last = [parameter for parameter in self.params if isinstance(parameter, click.Argument)][-1]
            raise click.BadParameter(f"{number} is negative; write a whole number, 0 or more", ctx, last) from None

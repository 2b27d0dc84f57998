"""Parameters: what a function takes, analysed once and kept as a value.

Parameters are spoken of by name everywhere: `bind` turns a call into names with values, `call_arguments` turns those back into a call.
`*args` stands under its own name as a tuple, `**kwargs` as a dict, and their annotations say so: `*sizes: int` is a `tuple[int, ...]`.
"""

import inspect
import types
from collections.abc import Callable, Mapping
from inspect import _ParameterKind as Kind
from typing import Any, get_args, get_origin

import attrs

from headrace.errors import MissingParameter, UnknownParameter, WrongParameters, WrongParameterType
from headrace.model.annotations import Names, names_around, resolved
from headrace.model.coercion import coerced, shown

NO_DEFAULT = inspect.Parameter.empty


@attrs.frozen(kw_only=True)
class Parameter:
    """One parameter: `annotation` says what the value under its name must be, `default` is NO_DEFAULT where there is none.

    `kind` is one of inspect.Parameter's.
    """

    name: str
    annotation: Any = Any
    default: Any = NO_DEFAULT
    kind: Kind = Kind.POSITIONAL_OR_KEYWORD

    @property
    def is_variadic(self) -> bool:
        """Whether it collects what is left over: `*args` or `**kwargs`."""
        return self.kind in (Kind.VAR_POSITIONAL, Kind.VAR_KEYWORD)

    @property
    def required(self) -> bool:
        """Whether a call must give it."""
        return self.default is NO_DEFAULT and not self.is_variadic


@attrs.frozen(kw_only=True)
class Signature:
    """What a function takes, in order."""

    parameters: tuple[Parameter, ...]
    _by_name: dict[str, Parameter] = attrs.field(init=False, eq=False, repr=False)
    _positional: tuple[Parameter, ...] = attrs.field(init=False, eq=False, repr=False)
    _rest: Parameter | None = attrs.field(init=False, eq=False, repr=False)
    _extra: Parameter | None = attrs.field(init=False, eq=False, repr=False)

    @_by_name.default
    def _all_by_name(self) -> dict[str, Parameter]:
        return {parameter.name: parameter for parameter in self.parameters}

    @_positional.default
    def _given_by_position(self) -> tuple[Parameter, ...]:
        return tuple(each for each in self.parameters if each.kind in (Kind.POSITIONAL_ONLY, Kind.POSITIONAL_OR_KEYWORD))

    @_rest.default
    def _collects_positions(self) -> Parameter | None:
        return next((each for each in self.parameters if each.kind is Kind.VAR_POSITIONAL), None)

    @_extra.default
    def _collects_names(self) -> Parameter | None:
        return next((each for each in self.parameters if each.kind is Kind.VAR_KEYWORD), None)

    @classmethod
    def of(cls, function: Callable[..., Any]) -> "Signature":
        """The signature of anything that can be called; of something that does not tell, one that takes all."""
        try:
            written = tuple(inspect.signature(function).parameters.values())
            outer, inner = names_around(function)
        except (TypeError, ValueError):
            return TAKES_ALL
        return cls(parameters=tuple(_parameter(each, outer, inner) for each in written))

    @property
    def names(self) -> tuple[str, ...]:
        """The names a call may give, in order."""
        return tuple(parameter.name for parameter in self.parameters if not parameter.is_variadic)

    def bind(self, where: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """A call's values by name, in order, with defaults. Raises UnknownParameter, MissingParameter or WrongParameters."""
        if len(args) > len(self._positional) and self._rest is None:
            raise WrongParameters(where=where, why=_too_many([each.name for each in self._positional], len(args)))
        given = {parameter.name: value for parameter, value in zip(self._positional, args, strict=False)}
        extra: dict[str, Any] = {}
        for name, value in kwargs.items():
            parameter = self._by_name.get(name)
            if parameter is not None and parameter.kind in (Kind.POSITIONAL_OR_KEYWORD, Kind.KEYWORD_ONLY):
                if name in given:
                    raise WrongParameters(where=where, why=f"parameter {name!r} was given twice, by position and by name")
                given[name] = value
            elif self._extra is not None:
                extra[name] = value
            elif parameter is not None and parameter.kind is Kind.POSITIONAL_ONLY:
                raise WrongParameters(where=where, why=f"parameter {name!r} is given by position only, not by name")
            else:
                raise UnknownParameter(where=where, name=name, known=self.names)
        return self._complete(where, given, args[len(self._positional) :], extra)

    def filled(self, where: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """What was kept by name (a run's or deployment's parameters), in order, with defaults.

        Every parameter may be given by its name here, positional-only and `*args` too; what has no name of its own goes to `**kwargs`.
        Raises UnknownParameter, MissingParameter or WrongParameterType.
        """
        given = self._sorted_out(where, parameters)
        rest = given.pop(self._rest.name, ()) if self._rest else ()
        extra = given.pop(self._extra.name, {}) if self._extra else {}
        return self._complete(where, given, rest, extra)

    def validated(self, where: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the parameters that are given, each coerced to its annotation; a value that is the default itself stays.

        One that is missing is no fault here: a deployment need not give them all.
        Raises UnknownParameter or WrongParameterType.
        """
        if not parameters.keys() <= self._by_name.keys():
            parameters = self._sorted_out(where, parameters)
        by_name = self._by_name
        return {
            name: value if value is by_name[name].default else coerced(value, by_name[name].annotation, where=where, name=name)
            for name, value in parameters.items()
        }

    def call_arguments(self, parameters: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The way back: the positional and named arguments to call the function with, from what `bind` or `filled` gave."""
        args = [parameters[parameter.name] for parameter in self._positional]
        kwargs = {each.name: parameters[each.name] for each in self.parameters if each.kind is Kind.KEYWORD_ONLY}
        if self._rest is not None:
            args += parameters[self._rest.name]
        if self._extra is not None:
            kwargs |= parameters[self._extra.name]
        return tuple(args), kwargs

    def _sorted_out(self, where: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The given ones by the names of this signature, what is left under the name of `**kwargs`."""
        given = {name: value for name, value in parameters.items() if name in self._by_name}
        extra = {name: value for name, value in parameters.items() if name not in self._by_name}
        if not extra:
            return given
        if self._extra is None:
            raise UnknownParameter(where=where, name=next(iter(extra)), known=self.names)
        already = given.get(self._extra.name, {})
        if not isinstance(already, Mapping):
            raise WrongParameterType(where=where, name=self._extra.name, expected="a dict of values by name", given=shown(already))
        return {**given, self._extra.name: {**already, **extra}}

    def _complete(self, where: str, given: Mapping[str, Any], rest: Any, extra: Any) -> dict[str, Any]:
        whole: dict[str, Any] = {}
        for parameter in self.parameters:
            if parameter.name in given:
                whole[parameter.name] = given[parameter.name]
            elif parameter is self._rest:
                whole[parameter.name] = rest
            elif parameter is self._extra:
                whole[parameter.name] = extra
            elif parameter.default is NO_DEFAULT:
                raise MissingParameter(where=where, name=parameter.name)
            else:
                whole[parameter.name] = parameter.default
        return whole


TAKES_ALL = Signature(
    parameters=(
        Parameter(name="args", annotation=tuple[Any, ...], kind=Kind.VAR_POSITIONAL),
        Parameter(name="kwargs", annotation=dict[str, Any], kind=Kind.VAR_KEYWORD),
    )
)


def _too_many(taken: list[str], given: int) -> str:
    if not taken:
        return f"it takes no positional values, and {given} {'was' if given == 1 else 'were'} given"
    return f"it takes {len(taken)} positional {'value' if len(taken) == 1 else 'values'} at most ({', '.join(taken)}), not {given}"


def _parameter(written: inspect.Parameter, outer: Names, inner: Names) -> Parameter:
    annotation = resolved(written.annotation, outer, inner)
    if written.kind is Kind.VAR_POSITIONAL:
        annotation = _collected(annotation, tuple[annotation, ...])  # type: ignore[valid-type]
    elif written.kind is Kind.VAR_KEYWORD:
        annotation = _collected(annotation, dict[str, annotation])  # type: ignore[valid-type]
    return Parameter(name=written.name, annotation=annotation, default=written.default, kind=written.kind)


def _collected(annotation: Any, each: Any) -> Any:
    """What a variadic parameter holds: an unpacked annotation speaks of all of it, any other of each."""
    if getattr(get_origin(annotation), "_name", "") == "Unpack":  # typing's, or typing_extensions' own
        return get_args(annotation)[0]
    if getattr(annotation, "__unpacked__", False):
        return types.GenericAlias(tuple, get_args(annotation))
    return each

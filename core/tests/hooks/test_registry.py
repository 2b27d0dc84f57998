"""Finding plugins, and surviving them."""

from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from headrace.errors import CodeNotAllowedHere, DoubleProvider, NotInstalled, OptionsDoNotFit, ProviderUnusable
from headrace.hooks import Provider, hookimpl
from headrace.hooks.plugins import Status
from headrace.hooks.registry import Plugin, Registry
from headrace.model.choices import Choice
from headrace.model.events import Event
from headrace.testing.clock import START


@attrs.frozen(kw_only=True)
class Shelf:
    """A storage for these tests."""

    size: int = 3


def plugin(name: str, dist: str = "", **hooks: Any) -> Plugin:
    """A plugin with these hooks."""
    module = SimpleNamespace(**{hook: hookimpl(function) for hook, function in hooks.items()})
    return Plugin(name=name, dist=dist or f"dist-{name}", version="1", load=lambda: module)


def shelves(name: str = "shelf", **options: Any) -> Any:
    """A hook that offers a storage."""

    def headrace_storages() -> Any:
        yield Provider(name, Shelf, "A shelf", **options)

    return headrace_storages


def test_a_provider_is_found_by_name_and_made_with_its_options() -> None:
    """The class is a value whose fields are the options."""
    registry = Registry([plugin("a", headrace_storages=shelves())])
    assert registry.make("storage", Choice("shelf", {"size": 5})) == Shelf(size=5)
    assert registry.choice_of("storage", Shelf(size=5)) == Choice("shelf", {"size": 5})


def test_an_unknown_name_lists_what_there_is() -> None:
    """And which distribution would bring it, where that is known."""
    registry = Registry([plugin("a", headrace_storages=shelves())])
    with pytest.raises(NotInstalled, match=r"no storage named 'local'; installed: shelf — pip install headrace-files"):
        registry.load("storage", "local")
    with pytest.raises(NotInstalled, match=r"no storage named 'moon'; installed: shelf$"):
        registry.load("storage", "moon")


def test_two_plugins_with_one_name_are_an_error_naming_both() -> None:
    """Only when that name is chosen; both are rows with the reason."""
    registry = Registry([plugin("a", headrace_storages=shelves()), plugin("b", headrace_storages=shelves())])
    with pytest.raises(DoubleProvider, match="dist-a and dist-b"):
        registry.load("storage", "shelf")
    assert [(row.dist, row.status) for row in registry.rows()] == [("dist-a", Status.FAILED), ("dist-b", Status.FAILED)]


def test_options_that_do_not_fit_are_refused() -> None:
    """With the name of what they were for."""
    registry = Registry([plugin("a", headrace_storages=shelves())])
    with pytest.raises(OptionsDoNotFit, match="^the options of storage 'shelf' of dist-a do not fit: it has no option 'colour'"):
        registry.make("storage", Choice("shelf", {"colour": "red"}))


@attrs.frozen
class Crate:
    """Needs two options, and takes a third."""

    width: int = attrs.field(converter=int)
    height: int
    colour: str = "red"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "it needs the options width and height"),
        ({"width": 1}, "it needs the option height"),
        ({"width": (), "height": 1}, "it cannot take what is given as 'width' and 'height' (int() argument must be"),
        ({"width": 1, "height": 1, "heigth": 1}, "it has no option 'heigth'; it takes width, height, colour"),
    ],
)
def test_options_that_do_not_fit_are_told_in_a_sentence(options: dict[str, Any], said: str) -> None:
    """What is needed is said by name, and neither the names of classes nor those of methods are."""
    registry = Registry([plugin("a", headrace_storages=lambda: [Provider("crate", Crate, "A crate")])])
    with pytest.raises(OptionsDoNotFit) as caught:
        registry.make("storage", Choice("crate", options))
    assert str(caught.value).startswith(f"the options of storage 'crate' of dist-a do not fit: {said}")
    assert not any(word in str(caught.value) for word in ("__init__", "TypeError", "positional"))


@pytest.mark.parametrize("error", [ImportError("no module"), SyntaxError("bad"), SystemExit(3), ValueError("odd")])
def test_a_plugin_that_breaks_at_import_is_a_row(error: BaseException) -> None:
    """The others work; the row says why."""

    def broken() -> object:
        raise error

    registry = Registry([Plugin(name="broken", dist="bad", version="2", load=broken), plugin("a", headrace_storages=shelves())])
    assert registry.has("storage", "shelf")
    (row,) = [row for row in registry.rows() if row.kind == "plugin"]
    assert (row.name, row.dist, row.status) == ("broken", "bad", Status.FAILED)
    assert type(error).__name__ in row.reason


def test_a_hook_that_fails_is_a_row() -> None:
    """And the others are asked."""

    def headrace_storages() -> Any:
        raise RuntimeError("no shelf today")

    registry = Registry([plugin("bad", headrace_storages=headrace_storages), plugin("good", headrace_storages=shelves())])
    assert registry.has("storage", "shelf")
    assert "no shelf today" in next(row.reason for row in registry.rows() if row.status is Status.FAILED)


def test_a_misspelt_hook_is_a_row() -> None:
    """Rather than silence."""
    registry = Registry([plugin("typo", headrace_storage=lambda: []), plugin("good", headrace_storages=shelves())])
    (row,) = [row for row in registry.rows() if row.kind == "plugin"]
    assert (row.name, row.status) == ("typo", Status.FAILED)
    assert "headrace_storage" in row.reason


def test_a_hook_with_an_unknown_argument_is_a_row() -> None:
    """It could never be called."""
    registry = Registry([plugin("odd", headrace_storages=lambda colour: [])])
    assert [row.status for row in registry.rows()] == [Status.FAILED]


@pytest.mark.parametrize("name", ["a", "dist-a"])
def test_a_blocked_plugin_offers_nothing(name: str) -> None:
    """By its name or its distribution's; it is not even imported."""

    def never() -> object:
        raise AssertionError("imported")

    registry = Registry([Plugin(name="a", dist="dist-a", version="1", load=never)], blocked=[name])
    assert [row.status for row in registry.rows()] == [Status.BLOCKED]


def test_what_runs_code_is_refused_outside_of_runs() -> None:
    """A registry of a flow run's process has it, another refuses."""
    plugins = [plugin("a", headrace_storages=shelves(runs_code=True))]
    with pytest.raises(CodeNotAllowedHere):
        Registry(plugins).load("storage", "shelf")
    assert Registry(plugins, runs_code=True).load("storage", "shelf") is Shelf


def test_a_target_is_imported_when_it_is_chosen() -> None:
    """A target that is not there is found out then, with a sentence."""

    def headrace_storages() -> Any:
        yield Provider("ghost", "no.such.module:Ghost", "Not there")

    registry = Registry([plugin("a", headrace_storages=headrace_storages)])
    assert registry.has("storage", "ghost")
    with pytest.raises(ProviderUnusable, match="^storage 'ghost' of dist-a cannot be loaded: ModuleNotFoundError"):
        registry.load("storage", "ghost")


def test_observers_hear_and_harm_nobody() -> None:
    """One that fails is logged, and the next one hears too."""
    heard = []

    def failing(event: Event) -> None:
        raise RuntimeError

    def hearing(event: Event) -> None:
        heard.append(event.kind)

    registry = Registry([plugin("a", headrace_on_event=failing), plugin("b", headrace_on_event=hearing)])
    registry.tell(Event(moment=START, kind="flow-run.created", subject="x"))
    assert heard == ["flow-run.created"]
    assert registry.has_observers


def test_a_plugin_may_bring_hooks_of_its_own() -> None:
    """Others implement them, and are not taken for misspelt; a plugin that offers nothing to choose is a row too."""
    from headrace.hooks.specs import hookspec

    class Mine:
        @hookspec
        def headrace_colours(self) -> Any: ...

    registry = Registry(
        [plugin("a", headrace_addhooks=lambda plugins: plugins.add_hookspecs(Mine)), plugin("b", headrace_colours=lambda: ["red"])]
    )
    assert [(row.name, row.kind, row.status) for row in registry.rows()] == [("a", "plugin", Status.OK), ("b", "plugin", Status.OK)]


def test_hooks_of_ones_own_are_called_one_by_one() -> None:
    """Whoever brings a hook has each implementation by itself, with the plugin it is of, and contains what it raises."""
    from headrace.hooks.specs import hookspec

    class Mine:
        @hookspec
        def headrace_colours(self, shade: str) -> Any: ...

    def failing(shade: str) -> Any:
        raise KeyError(shade)

    brought = plugin("a", headrace_addhooks=lambda plugins: plugins.add_hookspecs(Mine))
    registry = Registry([brought, plugin("b", headrace_colours=lambda shade: [shade]), plugin("c", headrace_colours=failing)])
    (first, red), (second, broken) = registry.calls("headrace_colours", shade="red")
    assert (first.name, second.name, red()) == ("b", "c", ["red"])
    with pytest.raises(KeyError):
        broken()


def test_hook_calls_can_be_traced(capsys: pytest.CaptureFixture[str]) -> None:
    """Each call is a line on standard error."""
    Registry([plugin("a", headrace_storages=shelves())], trace=True).offers("storage")
    assert "hook headrace_storages()" in capsys.readouterr().err

"""The page of hooks shows every hook, as its specification does. Run this file to write the page anew."""

import inspect
from pathlib import Path

from headrace.hooks.registry import PORTS
from headrace.hooks.specs import Specs

PAGE = Path(__file__).parents[2] / "docs" / "hooks.md"
HEAD = """# Hooks

A plugin is a module with some of these functions, marked with `hookimpl`. Its distribution names the module in the entry point group `headrace`:

```toml
[project.entry-points.headrace]
acme = "headrace_acme.plugin"
```

The module imports nothing but headrace and is cheap to import; what it offers is imported when somebody chooses it. `headrace plugins` lists what was
found; a plugin that cannot be used is a row with its reason. `HEADRACE_PLUGINS_BLOCKED` keeps plugins out, `HEADRACE_TRACE_HOOKS=1` shows every call.

A `Provider` has a name (as written in settings and on the command line), a target (`"package.module:Class"`, or the class itself), and a summary of one
line. The class is a frozen value whose fields are its options; what it opens is a context manager.

What each [port](ports/README.md) asks of it has a page of its own. `headrace.testing.conformance.plugins` has what holds for every distribution.

A program may bring a plugin of its own without a distribution: `headrace.open(registry=Registry([*discovered(), inline(module)]))`, all three of
`headrace.hooks.registry`, takes any module or object with hooks.

## Secrets

An option may be a reference instead of a secret itself: `secret://env/NAME` is an environment variable, `secret://file/run/secrets/token` a file (with
`~` after `file/`, one in the home folder), and plugins bring others by the hook `headrace_secret`. `Registry.resolved(options)` puts the values in
their places. A value is text that hides itself in `repr`; one that cannot be found is an error that names the reference. `Registry.sealed(secret)` makes a
reference of a secret that somebody wrote out; headrace-keys does that.

Hooks that need keys get the folder that the setting `keys_path` names; a hook may take fewer arguments than it is given.

"""


def written() -> str:
    """The page as it is to be."""
    return HEAD + "\n".join(section(name) for name in vars(Specs) if name.startswith("headrace_"))


def section(name: str) -> str:
    """One hook: its call, its sentence, its example, and the page of its port."""
    function = getattr(Specs, name)
    arguments = [parameter for parameter in inspect.signature(function).parameters if parameter != "self"]
    sentence, _, example = inspect.cleandoc(function.__doc__).partition("::\n")
    code = inspect.cleandoc(example)
    heading = f"## `{name}({', '.join(arguments)})`"
    return f"{heading}\n\n{sentence}:\n\n```python\nfrom headrace.hooks import Provider, hookimpl\n\n{code}\n```\n{further(name)}"


def further(name: str) -> str:
    """Where the port of a hook is described; a command is what click makes it."""
    port = next((port for port, hook in PORTS.items() if hook == name and port != "command"), None)
    return f"\nWhat it must do: [{port}](ports/{port.replace(' ', '_')}.md).\n" if port else ""


def test_the_page_shows_every_hook() -> None:
    """Name, arguments, sentence and example stand as in the specification."""
    assert PAGE.read_text() == written(), f"write it anew: python {Path(__file__).name}"


def test_every_port_has_its_hook() -> None:
    """The registry asks no hook that is not specified."""
    assert set(PORTS.values()) <= {name for name in vars(Specs) if name.startswith("headrace_")}


if __name__ == "__main__":
    PAGE.write_text(written())

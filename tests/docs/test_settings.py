"""docs/settings.md says what the fields of `Settings` say. Run this file as a program to write the page's table anew."""

import os
import re
from pathlib import Path

from headrace.settings import SETTINGS, load, shown, variable

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
START, END = "<!-- the table, from the fields -->\n", "<!-- end of the table -->\n"


def table() -> str:
    """The table as the fields have it."""
    rows = ["| Setting | Environment variable | Default | Meaning |", "|---|---|---|---|"]
    for name, field in SETTINGS.items():
        default = f"`{shown(field.default)}`" if shown(field.default) else ""
        secret = " (secret)" if field.metadata["secret"] else ""
        rows.append(f"| `{name}` | `{variable(name)}` | {default} | {field.metadata['meaning']}{secret} |")
    return "\n".join(["", *rows, "", ""])


def split_page() -> tuple[str, str, str]:
    """What stands before the table, the table, and what stands after it."""
    before, rest = PAGE.read_text().split(START)
    found, after = rest.split(END)
    return before, found, after


def test_the_table_is_that_of_the_fields() -> None:
    """The page's table has the names, variables, defaults and meanings of the fields."""
    assert split_page()[1] == table(), f"python {Path(__file__).name} writes the table anew"


def test_the_example_file_can_be_used(tmp_path: Path) -> None:
    """The page's file of profiles is read without a warning, and its active profile has all its settings in force."""
    examples = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert examples
    for example in examples:
        (tmp_path / "profiles.toml").write_text(example)
        settings = load({"HEADRACE_HOME": str(tmp_path)})
        assert settings.warnings == ()
        assert settings.origin("profile").layer == "active"
        assert [name for name in SETTINGS if settings.origin(name).layer == "profile"]


if __name__ == "__main__":
    before, _, after = split_page()
    PAGE.with_suffix(".new").write_text(before + START + table() + END + after)
    os.replace(PAGE.with_suffix(".new"), PAGE)

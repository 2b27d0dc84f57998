"""docs/api.md says what the server's own document says. Run this file as a program to write the page's reference anew."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headrace_server.openapi import document

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
START, END = "<!-- the reference, from the server's document -->\n", "<!-- end of the reference -->\n"
OF_EVERY_CALL = ("400", "401", "403", "413", "415", "422", "500", "503")


def reference() -> str:
    """The operations by what they are about, then the values that they take and give."""
    told = document()
    calls = [(method, path, call) for path, methods in told["paths"].items() for method, call in methods.items()]
    lines: list[str] = []
    for tag in dict.fromkeys(call["tags"][0] for _, _, call in calls):
        lines += [f"## {tag}", ""]
        for method, path, call in calls:
            if call["tags"][0] == tag:
                lines += [*operation(method, path, call), ""]
    lines += ["## Values", ""]
    for name, schema in told["components"]["schemas"].items():
        lines += [*value(name, schema), ""]
    return "\n".join(["", *lines, ""])


def operation(method: str, path: str, call: dict[str, Any]) -> Iterator[str]:
    """An operation: how it is asked, what it takes, gives and refuses."""
    yield f"### {call['operationId']}"
    yield ""
    yield f"`{method.upper()} /api{path}` · scope `{call['x-headrace-scope']}` · {call['x-headrace-kind']}"
    yield ""
    yield call["description"]
    arguments = list(taken(call))
    if arguments:
        yield from ["", "| Argument | Where | Type | |", "|---|---|---|---|", *arguments]
    for code, response in call["responses"].items():
        if code.startswith("2"):
            yield from ["", f"Gives {given(response)}."]
        elif code not in OF_EVERY_CALL and "description" in response:
            yield from ["", f"{code}: {response['description']}"]


def taken(call: dict[str, Any]) -> Iterator[str]:
    """A row for each argument."""
    for each in call.get("parameters", ()):
        where, told = (f"{each['in']}, as JSON", each["content"]["application/json"]) if "content" in each else (each["in"], each)
        yield f"| `{each['name']}` | {where} | {kind(told['schema'])} | {needed(is_needed=each.get('required', False), schema=told['schema'])} |"
    for media_type, body in call.get("requestBody", {}).get("content", {}).items():
        schema = body["schema"]
        if media_type != "application/json":
            yield f"| | body | {media_type} | needed |"
        for name, inner in schema.get("properties", {}).items():
            yield f"| `{name}` | body | {kind(inner)} | {needed(is_needed=name in schema.get('required', ()), schema=inner)} |"


def needed(*, is_needed: bool, schema: dict[str, Any]) -> str:
    """Whether it must be given, else what it is by default."""
    if is_needed:
        return "needed"
    default = schema.get("default")
    return "" if default in (None, [], {}, "") else f"default `{str(default).lower() if isinstance(default, bool) else default}`"


def given(response: dict[str, Any]) -> str:
    """What an answer is."""
    for media_type, body in response.get("content", {}).items():
        result = body["schema"].get("properties", {}).get("result") if media_type == "application/json" else None
        return kind(result) if result is not None else f"{media_type}: {response['description'].rstrip('.')}"
    return "nothing"


def value(name: str, schema: dict[str, Any]) -> Iterator[str]:
    """A value: its meaning, and its fields."""
    yield f"### {name}"
    if schema.get("description"):
        yield from ["", schema["description"]]
    if "enum" in schema:
        yield from ["", f"One of {', '.join(f'`{each}`' for each in schema['enum'])}."]
    fields = schema.get("properties", {})
    if fields:
        yield from ["", "| Field | Type | |", "|---|---|---|"]
    for field, inner in fields.items():
        yield f"| `{field}` | {kind(inner)} | {needed(is_needed=field in schema.get('required', ()), schema=inner)} |"


def kind(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(kind(each) for each in schema["anyOf"])
    if "allOf" in schema:
        return " and ".join(kind(each) for each in schema["allOf"])
    if "const" in schema or "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema.get("enum", [schema.get("const")]))
    named = schema.get("type", "anything")
    names = named if isinstance(named, list) else [named]
    return " or ".join(plain(name, schema) for name in names)


def plain(name: str, schema: dict[str, Any]) -> str:
    """A type of JSON in a few words."""
    if name == "array":
        return f"list of {kind(schema.get('items', {}))}"
    if name == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {kind(schema['additionalProperties'])}"
    return {"date-time": "moment"}.get(schema.get("format", ""), name)


def split_page() -> tuple[str, str, str]:
    """What stands before the reference, the reference, and what stands after it."""
    before, rest = PAGE.read_text().split(START)
    found, after = rest.split(END)
    return before, found, after


def test_the_reference_is_that_of_the_document() -> None:
    """The page has the operations, values and sentences of the server's document."""
    assert split_page()[1] == reference(), f"python {Path(__file__).name} writes the reference anew"


def test_every_value_that_is_spoken_of_is_there() -> None:
    """A link to a value leads to one."""
    found = split_page()[1]
    names = {line.removeprefix("### ").lower() for line in found.splitlines() if line.startswith("### ")}
    links = {part.partition(")")[0] for part in found.split("](#")[1:]}
    assert links <= names


if __name__ == "__main__":
    before, _, after = split_page()
    PAGE.with_suffix(".new").write_text(before + START + reference() + END + after)
    os.replace(PAGE.with_suffix(".new"), PAGE)

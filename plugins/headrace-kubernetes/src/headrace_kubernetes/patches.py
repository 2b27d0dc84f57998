"""Customizations of a manifest: JSON patches (RFC 6902), an operation each, and JSON merge patches (RFC 7386)."""

from collections.abc import Iterable, Mapping
from typing import Any

from headrace.errors import InvalidOption

OPERATIONS = ("add", "remove", "replace", "move", "copy", "test")


def is_operation(customization: Mapping[str, Any]) -> bool:
    """Whether it is an operation of a JSON patch; else it is a merge patch. A Job has nothing called `op`."""
    return "op" in customization


def wrong(customization: object) -> str:
    """What is wrong with one; empty if it may be used."""
    if not isinstance(customization, Mapping):
        return "each must be an operation of a JSON patch, such as {op: add, path: /spec/…, value: …}, or a mapping that is merged into the job"
    if not is_operation(customization):
        return ""
    if customization["op"] not in OPERATIONS:
        return f"op must be one of {', '.join(OPERATIONS)}"
    if not isinstance(customization.get("path"), str) or not customization["path"].startswith("/"):
        return "an operation has a path, which begins with /"
    if customization["op"] in ("add", "replace", "test") and "value" not in customization:
        return f"the operation {customization['op']} has a value"
    if customization["op"] in ("move", "copy") and not isinstance(customization.get("from"), str):
        return f"the operation {customization['op']} has a from"
    return ""


def patched(manifest: dict[str, Any], customizations: Iterable[Mapping[str, Any]], *, where: str) -> dict[str, Any]:
    """The manifest with all of them done, in their order. Raises InvalidOption for one that cannot be done."""
    for customization in customizations:
        manifest = _operated(manifest, customization, where) if is_operation(customization) else merged(manifest, customization)
    return manifest


def merged(target: Any, patch: Any) -> Any:
    """A merge patch: mappings are merged, None removes, all else is put in place of what was there."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def _operated(manifest: dict[str, Any], operation: Mapping[str, Any], where: str) -> dict[str, Any]:
    from jsonpatch import JsonPatch, JsonPatchException, JsonPointerException

    try:
        result: dict[str, Any] = JsonPatch([dict(operation)]).apply(manifest)
    except (JsonPatchException, JsonPointerException, KeyError, TypeError, IndexError) as error:
        why = f"it cannot be done to the job as it is then ({error or type(error).__name__})"
        raise InvalidOption(where=where, option="customizations", value=dict(operation), why=why) from error
    if not isinstance(result, dict):
        raise InvalidOption(where=where, option="customizations", value=dict(operation), why="it leaves no job")
    return result

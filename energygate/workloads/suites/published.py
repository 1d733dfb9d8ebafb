"""The JSON Schema of suites, where a matrix may give what a suite itself would have to."""

from collections.abc import Iterator
from typing import Any, Final

_ALWAYS: Final = ("kind", "name")


def with_matrix(schema: dict[str, Any]) -> dict[str, Any]:
    """Let keys be absent from suites that have a `matrix`: ``matrix: {endpoint.model: [a, b]}`` gives each its model.

    Parameters
    ----------
    schema : dict
        As msgspec makes it of the structs; what is no suite stays as it is.
    """
    definitions: dict[str, Any] = schema.get("$defs", {})
    suites = {name: each for name, each in definitions.items() if "matrix" in each.get("properties", {})}
    parts = {part for suite in suites.values() for value in suite["properties"].values() for part in _parts(value)}
    relaxed = {name: definitions[name] | {"required": []} for name in parts}
    changed = {name: _conditional(suite, definitions) for name, suite in suites.items()}
    return schema | ({"$defs": definitions | relaxed | changed} if suites else {})


def _conditional(suite: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    inner = {
        key: {"required": definitions[part]["required"]}
        for key, value in suite["properties"].items()
        for part in _parts(value)
        if definitions[part].get("required")
    }
    return suite | {
        "required": list(_ALWAYS),
        "if": {"required": ["matrix"]},
        "else": {"required": [key for key in suite["required"] if key not in _ALWAYS], "properties": inner},
    }


def _parts(value: dict[str, Any]) -> Iterator[str]:
    """Name the definition that a key's value has, if it is a mapping with keys of its own."""
    for option in (value, *value.get("anyOf", ())):
        if "$ref" in option:
            yield option["$ref"].removeprefix("#/$defs/")

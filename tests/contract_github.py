"""Checks what is sent to GitHub and what it answers against its own description of its API (tests/contract/github)."""

import copy
import functools
import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

FOLDER = Path(__file__).parent / "contract" / "github"
ENTERPRISE = "/api/v3"
UNDESCRIBED = frozenset({401, 403, 404, 422, 429})
"""What any operation may answer besides, like every 5xx: the description leaves most of them out."""
WITH_SLASHES = frozenset({"path", "ref"})


@dataclass(frozen=True)
class Exchange:
    """One request and its answer; bodies are JSON values, None where there is none."""

    method: str
    target: str
    sent: Any = None
    status: int | None = None
    """None: no answer that is GitHub's own reached the client, so that the request alone is judged."""
    answered: Any = None


def violations(exchange: Exchange) -> list[str]:
    """What an exchange breaks, a sentence each."""
    parts = urlsplit(exchange.target)
    is_enterprise = parts.path.startswith(f"{ENTERPRISE}/")
    contract = read_contract("sub-ghes-3.17.json.gz" if is_enterprise else "sub.json.gz")
    found = contract.operation(exchange.method, parts.path.removeprefix(ENTERPRISE) if is_enterprise else parts.path)
    if found is None:
        return [f"{exchange.method} {exchange.target}: no such operation"]
    broken = [
        *(f"no query parameter is called {name}" for name in parse_qs(parts.query) if name not in found.query),
        *(f"sent {error}" for error in contract.errors_sent(found, exchange.sent)),
    ]
    if exchange.status is not None:
        broken += [f"answered {error}" for error in contract.errors_answered(found, exchange.status, exchange.answered)]
    return [f"{exchange.method} {exchange.target}: {error}" for error in broken]


@functools.cache
def read_contract(name):
    """One of the descriptions of tests/contract/github; references in it are absolute."""
    text = gzip.decompress((FOLDER / name).read_bytes()).decode()
    return Contract(json.loads(text.replace('"#/components', '"urn:gh#/components')))


@dataclass(frozen=True)
class Operation:
    """An entry of the description."""

    described: dict[str, Any]
    query: frozenset[str]


class Contract:
    """A description with what is needed to check against it."""

    def __init__(self, description):
        from referencing import Registry, Resource  # noqa: PLC0415 (every run of pytest loads this module)
        from referencing.jsonschema import DRAFT4  # noqa: PLC0415

        self.description = description
        resource = Resource(contents=description, specification=DRAFT4)
        self.registry = Registry().with_resource("urn:gh", resource)
        self.paths = [(pattern(path), item) for path, item in description["paths"].items()]

    def operation(self, method, path):
        """The operation of a request, if there is one."""
        for expression, item in self.paths:
            if expression.fullmatch(path) and (described := item.get(method.lower())):
                parameters = [*item.get("parameters", ()), *described.get("parameters", ())]
                named = [self.resolved(each) for each in parameters]
                return Operation(described, frozenset(each["name"] for each in named if each["in"] == "query"))
        return None

    def errors_sent(self, operation, body):
        """What is wrong with a request's body."""
        wanted = operation.described.get("requestBody")
        if wanted is None:
            return [] if body is None else ["a body, and none is described"]
        if body is None:
            return ["no body"] if wanted.get("required") else []
        return self.errors(wanted["content"]["application/json"]["schema"], body)

    def errors_answered(self, operation, status, body):
        """What is wrong with an answer."""
        if (described := operation.described["responses"].get(str(status))) is not None:
            content = self.resolved(described).get("content")
            if content is None:
                return [] if body is None else [f"{status} with a body, and none is described"]
            return [f"{status}: {error}" for error in self.errors(content["application/json"]["schema"], body)]
        if status not in UNDESCRIBED and status < 500:
            return [f"{status}, which is not described"]
        kinds = ("basic-error", "validation-error")
        found = [self.errors({"$ref": f"urn:gh#/components/schemas/{kind}"}, body) for kind in kinds]
        return [] if not all(found) else [f"{status}: no error of GitHub's: {body!r:.200}"]

    def errors(self, schema, value):
        """Where a value does not fit a schema, and why."""
        from openapi_schema_validator import OAS30Validator, oas30_format_checker  # noqa: PLC0415

        validator = OAS30Validator(schema, registry=self.registry, format_checker=oas30_format_checker)
        return [
            f"{'/'.join(map(str, error.absolute_path)) or 'body'}: {error.message:.300}"
            for error in validator.iter_errors(value)
            if not is_deleted_fork(error)
        ]

    def resolved(self, node):
        """What a reference stands for; anything else is itself."""
        if "$ref" not in node:
            return node
        kind, name = node["$ref"].split("/")[-2:]
        return self.description["components"][kind][name]

    def example(self, name):
        """A fresh copy of one of the description's examples, as it stands."""
        return copy.deepcopy(self.description["components"]["examples"][name]["value"])


def is_deleted_fork(error):
    """Whether an error is GitHub's own: `head.repo` of a deleted fork is null, which the description leaves out."""
    return error.instance is None and list(error.absolute_path)[-2:] == ["head", "repo"]


def pattern(path):
    """An expression that matches what a templated path stands for."""
    pieces = re.split(r"\{(\w+)\}", path)
    names = [".+" if name in WITH_SLASHES else "[^/]+" for name in pieces[1::2]]
    literals = [re.escape(piece) for piece in pieces[::2]]
    return re.compile("".join(each for pair in zip(literals, [*names, ""], strict=True) for each in pair))

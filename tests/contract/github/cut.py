"""Cut GitHub's OpenAPI description down to the operations energygate calls.

    python cut.py node_modules/@octokit/openapi/generated/api.github.com.json sub.json.gz
    python cut.py --check SOURCE sub.json.gz      exit 1 when the stored cut differs from a fresh one

Keeps each named operation whole and everything it refers to; changes no schema. The result is canonical JSON (sorted
keys, no spaces), gzip with mtime 0. Compare the unpacked JSON, not the gzip bytes: zlib versions compress differently.
"""

import gzip
import json
import sys
from pathlib import Path

OPERATIONS = frozenset(
    [
        "meta/root",
        "rate-limit/get",
        "repos/get",
        "pulls/get",
        "pulls/list",
        "issues/get",
        "issues/list-comments",
        "issues/get-comment",
        "issues/create-comment",
        "issues/update-comment",
        "issues/delete-comment",
        "checks/create",
        "checks/get",
        "checks/update",
        "checks/list-annotations",
        "checks/list-for-ref",
        "repos/create-commit-status",
        "repos/list-commit-statuses-for-ref",
        "repos/get-content",
        "repos/create-or-update-file-contents",
        "git/get-ref",
        "git/create-ref",
        "actions/get-workflow-run",
        "actions/list-workflow-run-artifacts",
        "actions/get-artifact",
        "actions/download-artifact",
    ]
)
METHODS = ("get", "post", "put", "patch", "delete")


def references(node):
    """Every $ref below node."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def cut(description):
    paths, components, waiting = {}, {}, []
    for path, item in description["paths"].items():
        for method, operation in item.items():
            if method in METHODS and operation.get("operationId") in OPERATIONS:
                shared = {k: v for k, v in item.items() if k == "parameters"}
                paths.setdefault(path, shared)[method] = operation
                waiting += references([operation, shared])
    seen = set()
    while waiting:
        ref = waiting.pop()
        if ref not in seen:
            seen.add(ref)
            _, _, kind, name = ref.split("/", 3)
            component = description["components"][kind][name]
            components.setdefault(kind, {})[name] = component
            waiting += references(component)
    found = {op["operationId"] for item in paths.values() for m, op in item.items() if m in METHODS}
    if missing := OPERATIONS - found:
        raise SystemExit(f"not in the description: {sorted(missing)}")
    return {
        "openapi": description["openapi"],
        "info": description["info"],
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": components,
    }


def main(arguments):
    check = arguments[:1] == ["--check"]
    source, target = arguments[check:]
    description = json.loads(Path(source).read_bytes())
    text = json.dumps(cut(description), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    if check:
        return int(gzip.decompress(Path(target).read_bytes()) != text)
    Path(target).write_bytes(gzip.compress(text, 9, mtime=0))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

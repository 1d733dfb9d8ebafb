"""The YAML that the documentation shows is read as a user's file would be."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from msgspec import inspect

from energygate.cli.schemas import print_schema
from energygate.config import read_config, read_suites
from energygate.workloads.suites import CommandSuite, InferenceSuite, PythonSuite

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("docs/inference.md", "docs/configuration.md", "docs/faq.md", "docs/carbon.md")
BLOCK = re.compile(r"^```yaml\n(# (?P<name>\S+)\n.*?)^```$", re.DOTALL | re.MULTILINE)
ROW = re.compile(r"^\| (?P<keys>[^|]+) \|", re.MULTILINE)


FILES = [
    pytest.param(found["name"], found[1], id=f"{document}: {found['name']}")
    for document in DOCUMENTS
    for found in BLOCK.finditer((ROOT / document).read_text())
]


def refusals(kind, text):
    """What the schema that we print has against a document."""
    printed = CliRunner().invoke(print_schema, [kind], catch_exceptions=False).stdout
    checker = jsonschema.Draft202012Validator(json.loads(printed))
    return [error.message for error in checker.iter_errors(yaml.safe_load(text))]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_yaml_block_begins_with_the_name_of_its_file_so_that_none_stays_unread(document):
    text = (ROOT / document).read_text()
    assert text.count("```yaml\n") == len(BLOCK.findall(text)) > 0


@pytest.mark.parametrize(("name", "text"), FILES)
def test_a_documented_file_is_valid(name, text, tmp_path):
    path = tmp_path / Path(name).name
    path.write_text(text)
    if name.endswith(".energy.yml"):
        assert refusals("suite", text) == []
        assert len(read_suites(path, folder=tmp_path)) > 0
    elif name == "energygate.yml":
        assert refusals("config", text) == []
        assert read_config(path).version == 1
    else:
        assert name.startswith(".github/workflows/")
        assert all("runs-on" in job for job in yaml.safe_load(text)["jobs"].values())


def test_the_tables_of_the_format_have_every_key_of_a_suite_and_no_other():
    chapter = (ROOT / "docs/inference.md").read_text().split("## The format", 1)[1].split("### Datasets", 1)[0]
    documented = {key for row in ROW.finditer(chapter) for key in re.findall(r"`([a-z_.]+)`", row["keys"])}
    suites = (InferenceSuite, CommandSuite, PythonSuite)
    known = {path for suite in suites for path in key_paths(inspect.type_info(suite))} | {"kind"}
    assert documented == known


def key_paths(kind, above=""):
    """Give the dotted path of each key that holds a value."""
    for field in kind.fields:
        path = above + field.encode_name
        inner = block_in(field.type)
        yield from [path] if inner is None else key_paths(inner, f"{path}.")


def block_in(kind):
    """Give the block of keys that a value must be, or None."""
    options = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    left = [option for option in options if not isinstance(option, inspect.NoneType)]
    return left[0] if len(left) == 1 and isinstance(left[0], inspect.StructType) else None

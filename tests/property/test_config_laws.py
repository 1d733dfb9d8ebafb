"""Laws of the configuration reader: what it says of a fault leads to the fault."""

import yaml
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from energygate.config import read_config
from energygate.config_keys import ConfigFile
from energygate.conversion import convert
from energygate.errors import ConfigError
from energygate.units import parse_percent

names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
keys = st.sampled_from(
    ["version", "gate", "budget", "trials", "count", "limits", "overrides", "suites", "kind", "name"]
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5) | st.just("5%"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | keys, inner, max_size=3),
    max_leaves=8,
)


def refusal(read, *arguments, **more):
    """What the reader says against it, or None."""
    try:
        read(*arguments, **more)
    except ConfigError as wrong:
        return str(wrong)
    return None


@given(st.dictionaries(keys, plain, max_size=5))
@budget(deadline=None, max_examples=200)
def test_any_document_is_read_or_refused_by_name(document):
    said = refusal(convert, document, ConfigFile, origin="file.yml")
    assert said is None or said.startswith("file.yml: ")


@given(st.dictionaries(names, st.just({}), max_size=4), names)
@budget(deadline=None, max_examples=100)
def test_the_pattern_at_fault_is_named_whatever_it_is_called(good, bad):
    document = {"version": 1, "overrides": good | {bad: {"trials": 0}}}
    assert refusal(convert, document, ConfigFile, origin="f") == f"f: overrides.{bad}.trials: Expected `int` >= 1."


@given(st.binary(max_size=60))
@budget(deadline=None, max_examples=200)
def test_any_bytes_are_read_or_refused_by_name(tmp_path_factory, data):
    file = tmp_path_factory.mktemp("config") / "energygate.yml"
    file.write_bytes(b"version: 1\n" + data)
    said = refusal(read_config, file)
    assert said is None or said.startswith(f"{file}:")


@given(st.integers(0, 10_000), st.sampled_from(["%", " %", "%  "]))
@budget(deadline=None, max_examples=50)
def test_a_percentage_in_yaml_means_that_many_hundredths(hundredths, unit):
    text = yaml.safe_load(f"{hundredths / 100}{unit}")
    assert abs(parse_percent(text) - hundredths / 10_000) < 1e-12

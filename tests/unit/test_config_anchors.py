"""`anchors:` and `canary:` of `energygate.yml`."""

import pytest

from energygate.config import load_settings
from energygate.errors import ConfigError
from energygate.policy import Anchor

COMMIT = "a" * 40


def loaded(folder, text):
    (folder / "energygate.yml").write_text(f"version: 1\n{text}")
    return load_settings({}, prefix="--", environ={}, folder=folder, here=folder)


def test_anchors_and_a_canary_reach_the_policy(tmp_path):
    policy = loaded(
        tmp_path, f"anchors: [{{name: v1, commit: {COMMIT}, budget: 10%}}]\ncanary: bench.py::idle\n"
    ).policy
    assert (policy.anchors, policy.canary) == ((Anchor(name="v1", commit=COMMIT, budget=0.1),), "bench.py::idle")


def test_unless_they_are_given_there_are_none(tmp_path):
    policy = loaded(tmp_path, "").policy
    assert (policy.anchors, policy.canary) == ((), None)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "anchors: [{name: v1, commit: abc, budget: 10%}]",
            "energygate.yml:2: anchors[0].commit: Expected `str` matching",
        ),
        (
            f"anchors: [{{name: v1, commit: {COMMIT}}}]",
            "energygate.yml:2: anchors[0]: Object missing required field `budget`",
        ),
        (f"anchors: [{{name: v1, commit: {COMMIT}, budget: 0%}}]", "energygate.yml: anchors: v1: budget 0 %"),
        (
            f"anchors: [{{name: v, commit: {COMMIT}, budget: 1%}}, {{name: v, commit: {COMMIT}, budget: 2%}}]",
            "energygate.yml: anchors: two are called 'v'",
        ),
        ("canary: ''", "energygate.yml:2: canary: Expected `str` of length >= 1"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path, text, fault):
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, text)
    assert str(refused.value).startswith(f"{tmp_path}/{fault}")


def test_a_canary_that_was_not_measured_is_a_warning(tmp_path):
    settings = loaded(tmp_path, "canary: bench.py::idle\n")
    assert settings.unknown_canary(["bench.py::idle", "b"]) == []
    vain = "canary: 'bench.py::idle' is no benchmark of this run, so it cannot tell that the machine changed. "
    assert settings.unknown_canary(["b", "bench.py::idel"]) == [
        f"{vain}It was looked for among bench.py::idel, b. Write one such name in full; it is no pattern."
    ]
    many = [f"b{i}" for i in range(9)]
    assert settings.unknown_canary(["\x1b[31mbench.py::idle", "bench.py", *many])[0].startswith(
        f"{vain}It was looked for among bench.py::idle, bench.py, "
    )
    assert settings.unknown_canary(many)[0].endswith(" and 6 more. Write one such name in full; it is no pattern.")
    assert settings.unknown_canary([]) == [f"{vain}It has no benchmark at all."]
    assert loaded(tmp_path, "").unknown_canary(["b"]) == []

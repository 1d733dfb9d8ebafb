from types import SimpleNamespace

import pytest

from energygate.errors import ConfigError
from energygate.measure.assignment import VARIABLE, Assignment, assignment_in, require_own_code

ASSIGNMENT = Assignment(
    save="/s/run.json", tree="/home/me/tree", names=("a", "b"), iterations={"a": 3}, played=4, driver=7
)


def test_it_travels_in_one_variable():
    assert assignment_in({VARIABLE: ASSIGNMENT.encoded()}) == ASSIGNMENT
    assert assignment_in({}) is None


def test_names_say_what_to_measure_and_none_means_all():
    assert [ASSIGNMENT.wants(name) for name in ("a", "c")] == [True, False]
    assert Assignment(save="s", tree="t").wants("c")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"save": "s"}',
        '{"save": "s", "tree": "t", "iterations": {"a": 0}}',
        '{"save": "s", "tree": "t", "driver": 0}',
    ],
)
def test_what_is_no_assignment_is_refused(text):
    with pytest.raises(ConfigError, match=r"^ENERGYGATE_ASSIGNMENT: .* Unset it\.$"):
        assignment_in({VARIABLE: text})


@pytest.mark.parametrize(
    "file",
    [
        None,
        "/tmp/private/head/product.py",
        "/home/me/tree/.venv/lib/python3.11/site-packages/product.py",
        "/home/me/tree2/product.py",
    ],
)
def test_code_from_elsewhere_may_be_measured(file):
    require_own_code(ASSIGNMENT, {"product": SimpleNamespace(__file__=file)})


def test_code_of_the_users_own_tree_may_not_except_for_the_driver_itself():
    require_own_code(ASSIGNMENT, {"energygate.model": SimpleNamespace(__file__="/home/me/tree/energygate/model.py")})
    with pytest.raises(ConfigError) as refused:
        require_own_code(ASSIGNMENT, {"product.core": SimpleNamespace(__file__="/home/me/tree/src/product/core.py")})
    assert str(refused.value) == (
        "product.core was imported from /home/me/tree/src/product/core.py, which is the working tree itself. Both "
        "sides would run the same code, and no change could be seen. Let it be installed on each side: --venv with "
        "--setup 'pip install -e .' (confirm.venv, confirm.setup)."
    )

from pathlib import Path

import pytest

from energygate.errors import ConfigError
from energygate.github.comment import How, When
from energygate.github.event import ActionMode
from energygate.github.inputs import CheckRunWhen, MeasureInputs, PublishInputs


def refusal(kind, **environ):
    with pytest.raises(ConfigError) as refused:
        kind.read(environ)
    return str(refused.value)


def test_what_is_not_given_or_empty_has_its_default():
    assert MeasureInputs.read({}) == MeasureInputs.read({"ENERGYGATE_RUN": "", "ENERGYGATE_MODE": ""})
    assert MeasureInputs.read({}) == MeasureInputs(
        run="energygate run", setup="", config="", mode=ActionMode.AUTO, against="auto", baselines="", fail_on=""
    )
    assert PublishInputs.read({"ENERGYGATE_ID": "", "ENERGYGATE_NEVER_FAIL": ""}) == PublishInputs(
        id="default",
        mode=ActionMode.AUTO,
        comment=When.ON_CHANGE,
        comment_mode=How.UPDATE,
        comment_author="github-actions[bot]",
        check_run=CheckRunWhen.AUTO,
        annotations=True,
        summary=True,
        never_fail=False,
        baselines="",
        run_file=None,
        token="",
    )


def test_every_input_is_read():
    assert MeasureInputs.read(
        {
            "ENERGYGATE_RUN": "make bench\nmake more",
            "ENERGYGATE_SETUP": "make build",
            "ENERGYGATE_CONFIG": "ci/energygate.yml",
            "ENERGYGATE_MODE": "gate",
            "ENERGYGATE_AGAINST": "v1.0",
            "ENERGYGATE_BASELINES": "git:energy-baselines",
            "ENERGYGATE_FAIL_ON": "regressed,suspect",
        }
    ) == MeasureInputs(
        run="make bench\nmake more",
        setup="make build",
        config="ci/energygate.yml",
        mode=ActionMode.GATE,
        against="v1.0",
        baselines="git:energy-baselines",
        fail_on="regressed,suspect",
    )
    assert PublishInputs.read(
        {
            "ENERGYGATE_ID": "py3.12_x-64",
            "ENERGYGATE_MODE": "record",
            "ENERGYGATE_COMMENT": "always",
            "ENERGYGATE_COMMENT_MODE": "new",
            "ENERGYGATE_COMMENT_AUTHOR": "robo",
            "ENERGYGATE_CHECK_RUN": "never",
            "ENERGYGATE_ANNOTATIONS": "false",
            "ENERGYGATE_SUMMARY": "false",
            "ENERGYGATE_NEVER_FAIL": "true",
            "ENERGYGATE_BASELINES": "b",
            "ENERGYGATE_RUN_FILE": "/tmp/run.json",
            "ENERGYGATE_GITHUB_TOKEN": "ghs_x",
        }
    ) == PublishInputs(
        id="py3.12_x-64",
        mode=ActionMode.RECORD,
        comment=When.ALWAYS,
        comment_mode=How.NEW,
        comment_author="robo",
        check_run=CheckRunWhen.NEVER,
        annotations=False,
        summary=False,
        never_fail=True,
        baselines="b",
        run_file=Path("/tmp/run.json"),
        token="ghs_x",
    )


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ID", "a -->", "input id: 'a -->': it may be: 1 to 64 of A-Z a-z 0-9 . _ - without --."),
        ("ID", "a--b", "input id: 'a--b': it may be: 1 to 64 of A-Z a-z 0-9 . _ - without --."),
        ("ID", "a\n", "input id: 'a': it may be: 1 to 64 of A-Z a-z 0-9 . _ - without --."),
        ("COMMENT", "yes", "input comment: 'yes': it may be: on-change, always, never."),
        ("COMMENT_MODE", "replace", "input comment-mode: 'replace': it may be: update, new."),
        ("COMMENT_AUTHOR", "a b", "input comment-author: 'a b': it may be: a login of GitHub."),
        ("CHECK_RUN", "true", "input check-run: 'true': it may be: auto, never."),
        ("ANNOTATIONS", "True", "input annotations: 'True': it may be: true, false."),
        ("SUMMARY", "on", "input summary: 'on': it may be: true, false."),
        ("NEVER_FAIL", "1", "input never-fail: '1': it may be: true, false."),
        ("MODE", "measure", "input mode: 'measure': it may be: auto, gate, record."),
    ],
)
def test_a_wrong_input_is_named_with_what_it_may_be(variable, value, said):
    assert refusal(PublishInputs, **{f"ENERGYGATE_{variable}": value}) == said


def test_an_id_of_65_characters_is_refused_and_one_of_64_is_not():
    assert PublishInputs.read({"ENERGYGATE_ID": 64 * "a"}).id == 64 * "a"
    assert refusal(PublishInputs, ENERGYGATE_ID=65 * "a").startswith("input id: ")


def test_the_token_is_in_no_representation_and_in_no_error():
    inputs = PublishInputs.read({"ENERGYGATE_GITHUB_TOKEN": "ghs_canary"})
    assert (inputs.token, "canary" in repr(inputs)) == ("ghs_canary", False)
    assert refusal(PublishInputs, ENERGYGATE_GITHUB_TOKEN="ghs_canary\nX: y") == (
        "input github-token: a token has no blanks, line ends or other such characters. "
        "It would be no header of a request. "
        "Give the token alone, or leave it empty to publish nothing but the summary."
    )

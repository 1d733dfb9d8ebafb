"""What the runner reads: commands, files, and an environment without what is not to be seen."""

import base64
import re

import pytest

from energygate.errors import ConfigError, EnergyGateError
from energygate.github.actions import (
    add_summary,
    annotation_commands,
    capped,
    command,
    event_payload,
    fence,
    git_credentials,
    plain,
    scrubbed,
    set_outputs,
)
from energygate.model import Annotation

HEX = "[0-9a-f]{32}"


def an_annotation(number, level="failure"):
    return Annotation(path="a.py", line=number, level=level, title=f"t{number}", message=f"m{number}")


@pytest.mark.parametrize(
    ("level", "message", "how", "line"),
    [
        ("error", "x\r\ny::z", {"title": "a:b,c%"}, "::error title=a%3Ab%2Cc%25::x%0D%0Ay::z"),
        ("error", "%0A", {"title": "%3A"}, "::error title=%253A::%250A"),
        ("warning", "m", {}, "::warning title=energygate::m"),
        ("notice", "m", {"title": ""}, "::notice::m"),
        (
            "error",
            "m",
            {"file": "a,b/c:d.py", "line": 7, "title": "t"},
            "::error file=a%2Cb/c%3Ad.py,line=7,title=t::m",
        ),
        ("error", "a\ud800b", {}, "::error title=energygate::a?b"),
    ],
)
def test_a_command_is_one_line_whatever_it_says(level, message, how, line):
    assert command(level, message, **how) == line


def test_a_message_is_cut_before_the_runner_would_cut_it():
    assert command("error", 5000 * "x", title="") == f"::error::{3999 * 'x'}…"
    assert command("error", 4000 * "x", title="") == f"::error::{4000 * 'x'}"


def test_of_each_level_nine_are_shown_in_their_order_and_a_tenth_line_counts_the_rest():
    given = [an_annotation(n) for n in range(1, 121)] + [an_annotation(n, "warning") for n in range(1, 11)]
    given.append(an_annotation(1, "notice"))
    lines = annotation_commands(given)
    assert lines[0] == "::error file=a.py,line=1,title=t1::m1"
    assert lines[:9] == tuple(f"::error file=a.py,line={n},title=t{n}::m{n}" for n in range(1, 10))
    assert lines[9] == "::error title=energygate::and 111 more, see the summary"
    assert lines[19] == "::warning title=energygate::and 1 more, see the summary"
    assert lines[20:] == ("::notice file=a.py,line=1,title=t1::m1",)


def test_where_the_step_has_another_line_of_a_level_there_is_one_less():
    given = [an_annotation(n, level) for level in ("failure", "warning") for n in range(1, 21)]
    lines = annotation_commands(given, spent={"warning"})
    assert [sum(line.startswith(f"::{level} ") for line in lines) for level in ("error", "warning")] == [10, 9]
    assert lines[18] == "::warning title=energygate::and 12 more, see the summary"


def test_nine_need_no_line_that_counts():
    assert len(annotation_commands([an_annotation(n) for n in range(1, 10)])) == 9
    assert annotation_commands([]) == ()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::add-mask::x", "|::add-mask::x"),
        ("  ::error::x", "|::error::x"),
        ("a ##[group]b", "a ## [group]b"),
        ("a\n::error::x", "a ::error::x"),
        ("a::b", "a::b"),
    ],
)
def test_plain_text_is_no_command(text, shown):
    assert plain(text) == shown


def test_the_fence_stands_around_what_others_print_and_has_a_new_word_each_time():
    told = []
    for _ in range(2):
        with fence(told.append):
            told.append("theirs")
    first, second = told[:3], told[3:]
    word = re.fullmatch(f"::stop-commands::({HEX})", first[0])[1]
    assert first == [f"::stop-commands::{word}", "theirs", f"\n::{word}::"]
    assert second[0] != first[0]


def test_the_fence_is_closed_however_the_work_ends():
    told = []
    with pytest.raises(KeyboardInterrupt), fence(told.append):
        raise KeyboardInterrupt
    assert told[1] == f"\n::{told[0].removeprefix('::stop-commands::')}::"


def test_outputs_are_written_so_that_no_value_ends_early_or_makes_another(tmp_path):
    file = tmp_path / "output"
    file.write_text("before=1\n")
    values = {"verdict": "a\nexit-code=0\nEG_\n", "exit-code": "1"}
    set_outputs(values, environ={"GITHUB_OUTPUT": str(file)}, tell=print)
    pattern = (
        f"before=1\nverdict<<(EG_{HEX})\na\nexit-code=0\nEG_\n\n(EG_{HEX})\nexit-code<<(EG_{HEX})\n1\n(EG_{HEX})\n"
    )
    marks = re.fullmatch(pattern, file.read_text()).groups()
    assert (marks[0], marks[2]) == (marks[1], marks[3])
    assert marks[0] != marks[2]


def test_outside_of_github_actions_outputs_and_summary_are_told():
    told = []
    set_outputs({"verdict": "passed", "exit-code": "0"}, environ={"GITHUB_OUTPUT": ""}, tell=told.append)
    add_summary("# Energy\n", environ={}, tell=told.append)
    assert told == ["verdict=passed", "exit-code=0", "# Energy\n"]


def test_a_file_of_the_runner_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "output").symlink_to(tmp_path / "victim")
    with pytest.raises(EnergyGateError) as refused:
        set_outputs({"a": "b"}, environ={"GITHUB_OUTPUT": str(tmp_path / "output")}, tell=print)
    assert str(refused.value) == (
        f"Cannot write {tmp_path}/output: Too many levels of symbolic links. The runner reads the results there. "
        "Make room there."
    )
    assert not (tmp_path / "victim").exists()


def test_a_file_of_the_runner_whose_name_is_too_long_is_said(tmp_path):
    file = tmp_path / ("a" * 300)
    with pytest.raises(EnergyGateError) as refused:
        add_summary("text", environ={"GITHUB_STEP_SUMMARY": str(file)}, tell=print)
    assert str(refused.value) == (
        f"Cannot write {file}: File name too long. The runner reads the results there. Make room there."
    )


def test_a_summary_is_appended_and_stays_below_what_the_runner_keeps(tmp_path):
    file = tmp_path / "summary"
    environ = {"GITHUB_STEP_SUMMARY": str(file)}
    add_summary("first\n", environ=environ, tell=print)
    add_summary("ünï\n" * 400_000, environ=environ, tell=print)
    add_summary("no room\n", environ=environ, tell=print)
    text = file.read_bytes().decode()
    assert text.startswith("first\nünï\nünï\n")
    assert text.endswith("ünï\n\n\n*The rest of this summary is left out: it is longer than the runner keeps.*\n")
    assert 899_900 < file.stat().st_size <= 900_000


@pytest.mark.parametrize("most", [0, 10, 78, 79, 90, 100])
def test_a_text_is_cut_between_lines_and_never_longer_than_allowed(most):
    text = "".join(f"{n} äöü\n" for n in range(100))
    cut = capped(text, most_bytes=most)
    assert len(cut.encode()) <= most
    assert text.startswith(cut.partition("\n\n*")[0])
    assert capped("short\n", most_bytes=6) == "short\n"


def test_measured_code_sees_no_token_and_none_of_the_runners_files():
    kept = {
        "PATH": "/bin",
        "HF_TOKEN": "the author's",
        "TOKENIZERS_PARALLELISM": "false",
        "GITHUB_REPOSITORY": "acme/widgets",
        "RUNNER_TEMP": "/tmp/r",
        "ENERGYGATE_METERS": "rapl",
    }
    gone = (
        *("ENERGYGATE_GITHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN", "ACTIONS_RUNTIME_TOKEN"),
        *("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_CACHE_URL", "INPUT_GITHUB-TOKEN", "INPUT_RUN"),
        *("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"),
    )
    assert scrubbed(kept | dict.fromkeys(gone, "x")) == kept


def test_git_is_given_the_token_by_variables_alone():
    made = git_credentials("https://github.com", "ghs_x", environ={})
    header = made.pop("GIT_CONFIG_VALUE_1")
    assert made == {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "http.https://github.com/.extraheader",
        "GIT_CONFIG_VALUE_0": "",
        "GIT_CONFIG_KEY_1": "http.https://github.com/.extraheader",
    }
    kind, _, encoded = header.rpartition(" ")
    assert (kind, base64.b64decode(encoded)) == ("AUTHORIZATION: basic", b"x-access-token:ghs_x")


def test_what_git_is_told_besides_by_variables_stays():
    made = git_credentials("https://github.com", "ghs_x", environ={"GIT_CONFIG_COUNT": "1"})
    assert sorted(made) == [
        *("GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_1", "GIT_CONFIG_KEY_2"),
        *("GIT_CONFIG_VALUE_1", "GIT_CONFIG_VALUE_2", "GIT_TERMINAL_PROMPT"),
    ]
    assert (made["GIT_CONFIG_COUNT"], made["GIT_CONFIG_VALUE_1"]) == ("3", "")


def test_the_events_document_is_read(tmp_path):
    (file := tmp_path / "event.json").write_text('{"action": "opened"}')
    assert event_payload({"GITHUB_EVENT_PATH": str(file)}) == {"action": "opened"}


@pytest.mark.parametrize("content", [None, b"{", b"\xff", b"", b"[" * 100_000 + b"]" * 100_000])
def test_an_events_document_that_cannot_be_read_is_named(tmp_path, content):
    file = tmp_path / "event.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        event_payload({"GITHUB_EVENT_PATH": str(file)})
    assert str(refused.value) == (
        f"GITHUB_EVENT_PATH: {file} is no JSON document that can be read. Leave it as GitHub Actions sets it."
    )
    with pytest.raises(ConfigError, match=r"^GITHUB_EVENT_PATH is not set\. "):
        event_payload({})

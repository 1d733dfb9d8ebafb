import pytest

from energygate.github.marker import Marker, read_marker

HEAD = "f5410108c2ab9d1e0c0ffee0c0ffee0c0ffee000"
LINES = (
    "<!-- energygate:v1:default -->\n"
    f'<!-- energygate:run {{"head":"{HEAD}","run":123,"attempt":2,"verdict":"regressed","seen":["over limit"]}} -->\n'
)
MARKER = Marker(head=HEAD, run=123, attempt=2, verdict="regressed", seen=("over limit",))


def test_a_marker_is_two_comments_of_html():
    assert MARKER.lines("default") == LINES


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_marker_is_read_as_it_was_written_however_lines_end(end):
    assert read_marker(f"{LINES}## Energy".replace("\n", end), "default") == MARKER


@pytest.mark.parametrize(
    "body",
    [
        f"> {LINES}",
        f"\n{LINES}",
        f" {LINES}",
        LINES.replace("default", "default2"),
        LINES.replace("v1", "v2"),
        "<!-- energygate:v1:default --> and more\n",
        "",
    ],
)
def test_a_comment_with_another_first_line_is_not_ours(body):
    with pytest.raises(LookupError):
        read_marker(body, "default")


@pytest.mark.parametrize(
    ("part", "changed"),
    [
        ('"run":123', '"run":-1'),
        ('"run":123', '"run":"123"'),
        ('"attempt":2,', ""),
        (HEAD, "main"),
        ('"regressed"', '"<b>no</b>"'),
        ('["over limit"]', '["pass\\n"]'),
        ('["over limit"]', '["' + '","'.join(["passed"] * 11) + '"]'),
        ("{", "{{"),
        ("{", '{"x":' + "[" * 5000),
        ("regressed", "\udfff"),
        ("energygate:run", "energygate:ran"),
    ],
)
def test_a_second_line_that_somebody_changed_says_nothing(part, changed):
    assert read_marker(LINES.replace(part, changed), "default") is None


def test_a_later_version_may_say_more():
    assert read_marker(LINES.replace('"run":123', '"run":123,"mood":"good"'), "default") == MARKER


@pytest.mark.parametrize("verdict", ["", "Regressed", "no-regression", "a --> b", "x" * 33])
def test_a_verdict_that_could_not_be_read_back_is_not_written(verdict):
    with pytest.raises(ValueError, match="is no verdict"):
        Marker(head=HEAD, run=1, attempt=1, verdict=verdict)


def a_marker(run, attempt, verdict, *seen):
    return Marker(head=HEAD, run=run, attempt=attempt, verdict=verdict, seen=seen)


def test_earlier_verdicts_are_kept_oldest_first_and_at_most_ten():
    now = a_marker(5, 3, "passed")

    assert now.after(None) == ()
    assert now.after(a_marker(5, 2, "regressed", "invalid")) == ("invalid", "regressed")
    assert now.after(a_marker(4, 9, "regressed", *["invalid"] * 10)) == (*["invalid"] * 9, "regressed")
    assert now.after(a_marker(5, 3, "regressed", "invalid")) == ("invalid",), "it is the same attempt's own"

import fcntl
import io
import os
import pty
import struct
import termios

import pytest

from energygate.display import Display, has_color, is_live


@pytest.mark.parametrize(
    ("environ", "kind", "expected"),
    [
        ({}, "terminal", True),
        ({}, "pipe", False),
        ({"TERM": "dumb"}, "terminal", False),
        ({"NO_COLOR": "1"}, "terminal", False),
        ({"NO_COLOR": ""}, "terminal", True),
        ({"FORCE_COLOR": "1"}, "file", True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, "pipe", True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, "terminal", False),
        ({"GITHUB_ACTIONS": "true", "CI": "true"}, "pipe", True),
        ({"GITHUB_ACTIONS": "true", "CI": "true"}, "file", False),
        ({"GITHUB_ACTIONS": "true", "NO_COLOR": "1"}, "pipe", False),
        ({"GITHUB_ACTIONS": "true", "TERM": "dumb"}, "pipe", False),
        ({"CI": "true"}, "pipe", False),
    ],
)
def test_colours_are_shown_where_they_are_allowed_and_seen(environ, kind, expected):
    assert has_color(environ, kind) is expected


@pytest.fixture
def terminal():
    """Open a terminal of 97 columns."""
    leader, follower = pty.openpty()
    os.set_blocking(leader, False)
    with os.fdopen(leader, "rb"), os.fdopen(follower, "w") as stream:
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 97, 0, 0))
        yield stream


def test_a_terminal_says_how_wide_it_is(terminal):
    assert Display.of(terminal, {}) == Display(color=True, width=97)
    assert Display.of(terminal, {"COLUMNS": "60"}, verbose=True) == Display(color=True, width=60, verbose=True)
    assert Display.of(terminal, {"COLUMNS": "9999"}).width == 140
    assert Display.of(terminal, {"COLUMNS": "wide"}).width == 97


def test_a_wish_on_the_command_line_decides(terminal):
    assert Display.of(terminal, {"FORCE_COLOR": "1"}, wish="no").color is False
    assert Display.of(terminal, {"NO_COLOR": "1"}, wish="yes").color is True


def test_what_is_no_terminal_has_no_width_unless_somebody_says_so(tmp_path):
    reader, writer = os.pipe()
    with os.fdopen(reader), os.fdopen(writer, "w") as pipe, (tmp_path / "log").open("w") as file:
        for stream in (pipe, file, io.StringIO()):
            assert Display.of(stream, {}) == Display(color=False, width=None)
            assert Display.of(stream, {"COLUMNS": "60"}).width == 60
        ci = {"GITHUB_ACTIONS": "true"}
        assert [Display.of(stream, ci).color for stream in (pipe, file, io.StringIO())] == [True, False, False]


def test_live_lines_are_for_a_person_at_a_terminal(terminal):
    assert is_live(terminal, {})
    assert not is_live(terminal, {"CI": "true"})
    assert not is_live(terminal, {"TERM": "dumb"})
    assert not is_live(io.StringIO(), {})

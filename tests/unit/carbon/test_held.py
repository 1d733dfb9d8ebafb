import datetime as dt

import pytest

from energygate.carbon.held import Held, HeldAnswers
from energygate.model import Intensity

NOW = dt.datetime(2026, 11, 22, 14, 20, tzinfo=dt.UTC)
INTENSITY = Intensity(g_co2e_per_kwh=386, source="Electricity Maps", zone="DE", at=NOW, kind="average")


@pytest.fixture
def answers(tmp_path):
    return HeldAnswers(folder=tmp_path / "cache" / "energygate")


def keep(answers, *, holds_min):
    answers.put("DE", Held(intensity=INTENSITY, until=NOW + dt.timedelta(minutes=holds_min)), now=NOW)


def test_an_answer_is_known_until_it_is_of_the_past(answers):
    keep(answers, holds_min=40)
    assert answers.get("DE", now=NOW + dt.timedelta(minutes=39)) == INTENSITY
    assert answers.get("DE", now=NOW + dt.timedelta(minutes=40)) is None
    assert answers.get("FR", now=NOW) is None


def test_a_figure_that_lags_is_not_asked_for_again_at_once(answers):
    keep(answers, holds_min=-180)
    assert answers.get("DE", now=NOW + dt.timedelta(minutes=4)) == INTENSITY
    assert answers.get("DE", now=NOW + dt.timedelta(minutes=5)) is None


def test_no_answer_is_kept_for_longer_than_two_hours(answers):
    keep(answers, holds_min=60 * 24 * 365)
    assert answers.get("DE", now=NOW + dt.timedelta(minutes=119)) == INTENSITY
    assert answers.get("DE", now=NOW + dt.timedelta(minutes=120)) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"{}", b'{"intensity": 3, "until": "2026-11-22T15:00:00Z"}', b'{"more":' + b"[" * 200_000],
    ids=["empty", "no text", "no keys", "no intensity", "nested without end"],
)
def test_a_file_that_holds_no_answer_is_none(answers, content):
    keep(answers, holds_min=40)
    (file,) = answers.folder.iterdir()
    file.write_bytes(content)
    assert answers.get("DE", now=NOW) is None


def test_a_file_that_claims_to_hold_for_ever_is_not_believed(answers):
    keep(answers, holds_min=40)
    (file,) = answers.folder.iterdir()
    file.write_bytes(file.read_bytes().replace(b"2026-11-22T15:00", b"2126-11-22T15:00"))
    assert answers.get("DE", now=NOW) is None


def test_a_folder_that_cannot_be_written_keeps_nothing_and_says_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    answers = HeldAnswers(folder=tmp_path / "file")
    keep(answers, holds_min=40)
    assert answers.get("DE", now=NOW) is None


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"XDG_CACHE_HOME": "/cache", "HOME": "/home/me"}, "/cache/energygate"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/home/me"}, "/home/me/.cache/energygate"),
        ({"HOME": "/home/me"}, "/home/me/.cache/energygate"),
    ],
)
def test_answers_are_in_the_users_cache_folder(environ, folder):
    assert str(HeldAnswers.of_user(environ).folder) == folder


def test_a_user_without_a_home_keeps_nothing():
    answers = HeldAnswers.of_user({})
    keep(answers, holds_min=40)
    assert answers.folder is None
    assert answers.get("DE", now=NOW) is None

import json

import pytest

from energygate.workloads.text import Redactor, filled_in, for_file_name, printable, texts_in


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\tand\x00more\u2028here", "two lines and more here"),
        ("\x1b[31;1mred\x1b[0m", "red"),
        ("\u202eevil", "evil"),
        ("not \udcff UTF-8", "not UTF-8"),
        ("a" * 301, "a" * 299 + "…"),
        ("a" * 300, "a" * 300),
    ],
)
def test_foreign_text_becomes_one_short_line(text, shown):
    assert printable(text) == shown


def test_a_key_and_every_written_form_of_a_prompt_are_hidden():
    hide = Redactor("sk-1", ('Say "é"\nnow', "Say it twice", "Say it", "a"))
    assert hide('Bearer sk-1: Say "é"\nnow') == "Bearer ***: [prompt]"
    assert hide(r'{"content": "Say \"é\"\nnow"}') == '{"content": "[prompt]"}'
    assert hide(r'{"content": "Say \"\u00e9\"\nnow"}') == '{"content": "[prompt]"}'
    assert hide("Say it twice") == "[prompt]"  # the longest that fits, not a part of it
    assert hide("a far cry") == "a far cry"
    assert repr(hide) == "Redactor()"


def test_a_prompt_is_hidden_before_the_text_is_cut_off():
    assert Redactor(None, ("x" * 400,))("x" * 400) == "[prompt]"


LONG = 'Summarise the "letter" below.\nThe contract of Ms Müller ends in June, unless she objects.'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"no: {LONG[:30]}", "no: [prompt]"),
        (f"no: {LONG[-17:]}!", "no: [prompt]!"),
        (f"no: {LONG[3:19]}!", "no: [prompt]!"),
        (f"no: {LONG[3:18]}!", f"no: {LONG[3:18]}!"),  # 15 characters may be anybody's
        ("The contract of Ms Müller ends in June, unless she objects.", "[prompt]"),
        (r'{"content": "Summarise the \"letter\" below.\nThe con', '{"content": "[prompt]'),
        (r"{'The contract of Ms M\u00fcller ends'}", "{'[prompt]'}"),
        ("Summarise the market", "Summarise the market"),
        (f"{LONG[:20]} or {LONG[20:40]}", "[prompt] or [prompt]"),
    ],
)
def test_each_part_of_a_prompt_of_16_characters_or_more_is_hidden(text, shown):
    assert Redactor(None, ("short", LONG, "x" * 400))(text) == shown


SHORT_LINES = 'Name\nthree  fruits\n\nof «Spain»\nand "two"\n\trivers'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('near: Name three fruits of «Spain» and "two" rivers!', "near: [prompt]!"),
        (f"a\n{SHORT_LINES}\nb", "a\n[prompt]\nb"),
        (f"near:  {SHORT_LINES.replace(chr(10), '  ')}  !", "near:  [prompt]  !"),
        (f"near: {json.dumps(SHORT_LINES)}", 'near: "[prompt]"'),
        ('near: "Name three fruits of «Spain» and \\"two\\" rivers"', 'near: "[prompt]"'),
        (r'near: "Name three fruits of \u00abSpain\u00bb and', 'near: "[prompt]'),
        ("Name\n three", "Name\n three"),  # too few of its characters
        ("", ""),
        (" \n ", " \n "),
    ],
)
def test_a_prompt_is_hidden_whatever_blanks_and_line_breaks_became_of(text, shown):
    assert Redactor(None, (SHORT_LINES,)).hidden(text) == shown


def test_a_short_prompt_is_hidden_also_where_its_line_break_became_a_blank():
    assert Redactor(None, ("Name\nfruits",)).hidden("1:\tName fruits\n2:\tName\n") == "1:\t[prompt]\n2:\tName\n"


def test_a_long_text_is_cut_off_before_it_is_searched():
    shown = Redactor("sk-1", (LONG,))(LONG[:40] + " " * 9000 + "the end, sk-1")
    assert shown == "[prompt] …"


def test_every_text_inside_a_value_is_found():
    assert list(texts_in({"a": ["b", 1, {"c": "d"}], "e": None})) == ["b", "d"]


def test_only_known_braces_are_replaced():
    values = {"port": "8000", "python": "/usr/bin/python3"}
    assert filled_in("{python} {port}:{port} {other} {}", values) == "/usr/bin/python3 8000:8000 {other} {}"


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("chat", "chat"),
        ("chat[model=org/b,n=8]", "chat-model-org-b-n-8-"),
        ("../..", "..-.."),
        ("a" * 300, "a" * 80),
    ],
)
def test_a_name_with_a_slash_fits_into_the_name_of_a_file(name, part):
    assert for_file_name(name) == part

import html
import json
from urllib.parse import quote

import pytest

from energygate.workloads.hiding import Heard
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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Incorrect API key provided: sk-test-0123456789abcdef****", "Incorrect API key provided: *******"),
        ("key ending in 9abcdefXYZ", "key ending in ***"),
        ("key sk-test", "key sk-test"),  # seven characters may be anybody's
        (r"Bearer sk\u002dtest-0123456789", "Bearer ***"),
    ],
)
def test_each_part_of_a_key_of_8_characters_or_more_is_hidden(text, shown):
    assert Redactor("sk-test-0123456789abcdefXYZ")(text) == shown


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


ODD = 'Назовите три фрукта & "ещё" раз, <b>пожалуйста</b> 🍏 100 %\nC:\\new\\x41'


@pytest.mark.parametrize(
    "escaped",
    [
        ODD,
        html.escape(ODD),
        "".join(f"&#{ord(char)};" for char in ODD),
        quote(ODD),
        json.dumps(ODD)[1:-1],
        json.dumps(json.dumps(ODD))[3:-3],
        html.escape(json.dumps(ODD)[1:-1]),
        "".join(rf"\u{unit}" for unit in ODD.encode("utf-16-be").hex(" ", 2).upper().split()),
        json.dumps(ODD, ensure_ascii=False)[1:-1].replace("/", r"\/"),
        repr(ODD.encode())[2:-1],
        repr(ODD)[1:-1],
        "".join(rf"\x{byte:02X}" for byte in ODD.encode()),
    ],
)
def test_a_prompt_is_hidden_however_it_is_escaped(escaped):
    assert Redactor(None, (ODD,))(f"no: {escaped}!") == "no: [prompt]!"
    assert Redactor(None, (ODD,)).hidden(f"no: {escaped[: len(escaped) // 2]}").startswith("no: [prompt]")


def test_text_beside_a_prompt_keeps_its_escapes():
    assert Redactor(None, (LONG,))(f"50%25 &lt; {quote(LONG[:28])} &gt; \\u0041 \\xe9") == (
        "50%25 &lt; [prompt] &gt; \\u0041 \\xe9"
    )


def test_what_a_model_has_answered_is_hidden_too():
    hide = Redactor("sk-1", (LONG,))
    hide.heard.add(["Apples grow in Spain,\nand in France too.", "Apples."])
    assert hide("cannot parse: les grow in Spain, and\\u0020in") == "cannot parse: [answer]"
    assert hide.hidden(f"generated: Apples.\n{LONG}") == "generated: [answer]\n[prompt]"


@pytest.mark.parametrize(("after", "logged"), [("", ""), ("\nexiting", "\nexiting")])
def test_an_answer_that_llama_cpp_could_not_parse_is_hidden_though_it_never_came(after, logged):
    said = f"Failed to parse input at pos 12: Apples are {after}"
    assert Redactor()(said) == "Failed to parse input at pos 12: [answer]"
    assert Redactor().hidden(said) == f"Failed to parse input at pos 12: [answer]{logged}"


def test_of_many_answers_the_latest_are_remembered():
    heard = Heard()
    for number in range(30):
        heard.add([f"{number}" + "x" * 2**16, "again"])
    assert [text[:2] for text in heard] == ["29", "ag", *(f"{number}" for number in range(28, 13, -1))]
    heard.add(["y" * 2**21])
    assert [len(text) for text in heard] == [2**20]


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

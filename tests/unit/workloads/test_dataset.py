import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energygate.errors import ConfigError
from energygate.workloads.dataset import MAX_BYTES, Request, load_requests, load_system, system_digest
from energygate.workloads.suites import Message, Prompt, Requests, TextFile

SHAPE = 'A line is {"prompt": "…"} or {"messages": [{"role": "user", "content": "…"}]}, with optional id, max_tokens.'
GOOD = b'{"prompt": "Name three fruits."}'


def load(folder, content):
    (folder / "p.jsonl").write_bytes(content)
    return load_requests(Requests(dataset="p.jsonl", max_tokens=48), folder=folder)


def user(text):
    return (Message(role="user", content=text),)


def test_order_byte_order_mark_blank_lines_and_crlf_are_kept_or_skipped(tmp_path):
    content = (
        b"\xef\xbb\xbf"
        b'{"prompt": "b"}\r\n'
        b"\r\n"
        b'{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a\xe2\x80\xa8"}], "id": "x"}\n'
        b'  {"prompt": "b", "max_tokens": 5}  '
    )
    assert load(tmp_path, content) == (
        Request(origin="p.jsonl:1", messages=user("b"), max_tokens=48),
        Request(
            origin="p.jsonl:3",
            messages=(Message(role="system", content="s"), Message(role="user", content="a\u2028")),
            max_tokens=48,
        ),
        Request(origin="p.jsonl:4", messages=user("b"), max_tokens=5),
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"nope", f"p.jsonl:2: not JSON: JSON is malformed: invalid character (byte 4). {SHAPE}"),
        (b"[1]", f"p.jsonl:2: Expected `object`, got `array`. {SHAPE}"),
        (b'{"promt": "a"}', f"p.jsonl:2: Object contains unknown field `promt`. {SHAPE}"),
        (b'{"id": "a"}', f'p.jsonl:2: give either "messages" or "prompt". {SHAPE}'),
        (
            b'{"prompt": "a", "messages": [{"role": "user", "content": "b"}]}',
            f'p.jsonl:2: give either "messages" or "prompt". {SHAPE}',
        ),
        (
            b'{"messages": []}',
            (
                'p.jsonl:2: "messages" is empty. A server answers it, with nothing to measure. '
                "Give at least one user message."
            ),
        ),
        (b'{"prompt": ""}', f'p.jsonl:2: "prompt" is empty. {SHAPE}'),
        (
            b'{"messages": [{"role": "user", "content": ""}]}',
            f'p.jsonl:2: "content" is empty - at `$.messages[0]`. {SHAPE}',
        ),
        (
            b'{"messages": [{"role": "robot", "content": "a"}]}',
            f"p.jsonl:2: Invalid enum value - at `$.messages[0].role`. {SHAPE}",  # content may stand in its place
        ),
        (b'{"my whole prompt": "user"}', f"p.jsonl:2: Object contains unknown field. {SHAPE}"),
        (
            b'{"' + b"x" * 400 + b'": 1}',
            f"p.jsonl:2: Object contains unknown field `{'x' * 268}…. {SHAPE}",
        ),
        (b'{"prompt": 5}', f"p.jsonl:2: Expected `str | null`, got `int` - at `$.prompt`. {SHAPE}"),
        (b'{"prompt": "a", "id": 1.5}', f"p.jsonl:2: Expected `int | str | null`, got `float` - at `$.id`. {SHAPE}"),
        (b'{"prompt": "a", "max_tokens": 0}', f"p.jsonl:2: Expected `int` >= 1 - at `$.max_tokens`. {SHAPE}"),
        (b'{"prompt": "\xff"}', "p.jsonl:2: not UTF-8. Save the file as UTF-8."),
    ],
)
def test_a_fault_is_reported_with_file_and_line(tmp_path, line, message):
    with pytest.raises(ConfigError) as fault:
        load(tmp_path, GOOD + b"\n" + line + b"\n")
    assert str(fault.value) == message


def test_a_repeated_id_names_both_lines(tmp_path):
    with pytest.raises(ConfigError) as fault:
        load(tmp_path, b'{"prompt": "a", "id": "x"}\n\n{"prompt": "b", "id": "x"}')
    assert str(fault.value) == "p.jsonl:3: id 'x' stands at p.jsonl:1 already. Give each request its own id."


def test_an_id_may_be_a_number_and_a_long_one_is_shown_in_part(tmp_path):
    with pytest.raises(ConfigError) as fault:
        load(tmp_path, b'{"prompt": "a", "id": 17}\n{"prompt": "b", "id": 17}')
    assert str(fault.value) == "p.jsonl:2: id 17 stands at p.jsonl:1 already. Give each request its own id."
    line = b'{"prompt": "a", "id": "' + b"x" * 400 + b'"}\n'
    with pytest.raises(ConfigError) as fault:
        load(tmp_path, line + line)
    assert str(fault.value) == (
        f"p.jsonl:2: id '{'x' * 98}… stands at p.jsonl:1 already. Give each request its own id."
    )


def test_completions_get_prompts_as_they_are(tmp_path):
    spec = Requests(prompts=("a", Prompt(prompt="b", max_tokens=3)), max_tokens=48)
    assert load_requests(spec, folder=tmp_path, api="completions") == (
        Request(origin="requests.prompts[0]", prompt="a", max_tokens=48),
        Request(origin="requests.prompts[1]", prompt="b", max_tokens=3),
    )


def test_completions_cannot_be_asked_a_conversation(tmp_path):
    (tmp_path / "p.jsonl").write_bytes(GOOD + b'\n{"messages": [{"role": "user", "content": "a"}]}')
    cure = 'which knows prompts alone. Give {"prompt": "…"}, or set endpoint.api: chat.'
    for spec, origin in (
        (Requests(dataset="p.jsonl", max_tokens=1), "p.jsonl:2"),
        (Requests(prompts=(Prompt(messages=user("b")),), max_tokens=1), "requests.prompts[0]"),
    ):
        with pytest.raises(ConfigError) as fault:
            load_requests(spec, folder=tmp_path, api="completions")
        assert str(fault.value) == f'{origin}: "messages" cannot be asked of endpoint.api: completions, {cure}'


def test_every_text_of_a_request_is_known_so_that_it_can_be_hidden():
    turns = (Message(role="system", content="s"), Message(role="user", content="a"))
    assert Request(origin="p.jsonl:1", messages=turns, max_tokens=3).texts == ("s", "a")
    assert Request(origin="p.jsonl:1", prompt="b", max_tokens=3).texts == ("b",)


texts = st.text(min_size=1, max_size=20)
lines = st.lists(
    st.fixed_dictionaries({"prompt": texts}, optional={"max_tokens": st.integers(1, 1_000_000)}), min_size=1, max_size=5
)


@given(lines, st.sampled_from(["\n", "\r\n", "\n\n"]), st.booleans())
def test_what_is_written_is_asked_in_the_same_order_whatever_it_holds(tmp_path_factory, written, end, marked):
    folder = tmp_path_factory.mktemp("dataset")
    content = end.join(json.dumps(line, ensure_ascii=False) for line in written)
    (folder / "p.jsonl").write_bytes(b"\xef\xbb\xbf" * marked + content.encode())
    read = load_requests(Requests(dataset="p.jsonl", max_tokens=48), folder=folder, api="completions")
    assert [(request.prompt, request.max_tokens) for request in read] == [
        (line["prompt"], line.get("max_tokens", 48)) for line in written
    ]


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_by_file_and_line(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("dataset")
    said = "p.jsonl:"
    try:
        load(folder, data)
    except ConfigError as refused:
        said = str(refused)
    assert said.startswith("p.jsonl:")


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf\n \r\n"])
def test_a_dataset_without_a_request_is_refused(tmp_path, content):
    with pytest.raises(ConfigError) as fault:
        load(tmp_path, content)
    assert str(fault.value) == 'p.jsonl: has no request. Give one JSON object a line: {"prompt": "…"}.'


def test_too_many_requests_are_refused(tmp_path):
    with pytest.raises(ConfigError) as fault:
        load(tmp_path, b"{}\n" * 100_001)
    assert str(fault.value) == "p.jsonl: 100001 requests, at most 100000 are read. Measure a sample of it."


def test_too_many_bytes_are_refused_unread(tmp_path):
    with (tmp_path / "p.jsonl").open("wb") as sparse:
        sparse.truncate(MAX_BYTES + 1)
    with pytest.raises(ConfigError) as fault:
        load_requests(Requests(dataset="p.jsonl", max_tokens=48), folder=tmp_path)
    assert str(fault.value) == "p.jsonl: 268435457 bytes, at most 268435456 are read. Measure a sample of it."


def test_too_many_blank_lines_are_refused(tmp_path):
    with pytest.raises(ConfigError) as fault:
        load(tmp_path, GOOD + b"\n" * 1_000_001)
    assert str(fault.value) == (
        "p.jsonl: 1000001 lines with the blank ones, at most 1000000 are read. Remove blank lines."
    )


def test_a_pipe_or_a_device_is_no_file_to_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    said = "is not a regular file. Paths are relative to the suite file."
    with pytest.raises(ConfigError) as fault:
        load_requests(Requests(dataset="pipe", max_tokens=48), folder=tmp_path)
    assert str(fault.value) == f"requests.dataset: {tmp_path}/pipe {said}"
    with pytest.raises(ConfigError) as fault:
        load_system(Requests(prompts=("a",), max_tokens=1, system=TextFile(file="/dev/zero")), folder=tmp_path)
    assert str(fault.value) == f"requests.system: /dev/zero {said}"


def test_a_missing_dataset_is_named_with_its_whole_path(tmp_path):
    with pytest.raises(ConfigError) as fault:
        load_requests(Requests(dataset="p.jsonl", max_tokens=48), folder=tmp_path)
    assert str(fault.value) == (
        f"requests.dataset: cannot read {tmp_path}/p.jsonl: No such file or directory. "
        "Paths are relative to the suite file."
    )


def test_prompts_inside_the_suite_are_read_likewise(tmp_path):
    spec = Requests(prompts=("a", Prompt(messages=user("b"), max_tokens=3)), max_tokens=48)
    assert load_requests(spec, folder=tmp_path) == (
        Request(origin="requests.prompts[0]", messages=user("a"), max_tokens=48),
        Request(origin="requests.prompts[1]", messages=user("b"), max_tokens=3),
    )


def test_no_repr_of_a_request_shows_its_text():
    request = Request(origin="p.jsonl:1", messages=user("a secret"), prompt="a secret", max_tokens=3)
    assert repr(request) == "Request(origin='p.jsonl:1', max_tokens=3)"


def test_a_system_prompt_is_a_text_or_a_file_without_its_last_line_break(tmp_path):
    (tmp_path / "system.txt").write_text("Be brief.\n", encoding="utf-8")
    for system in ("Be brief.", TextFile(file="system.txt")):
        spec = Requests(prompts=("a",), max_tokens=1, system=system)
        assert load_system(spec, folder=tmp_path) == "Be brief."
    assert load_system(Requests(prompts=("a",), max_tokens=1), folder=tmp_path) is None
    assert system_digest("Be brief.") == "213c22ed7234"


def test_an_empty_or_missing_system_prompt_file_is_refused(tmp_path):
    spec = Requests(prompts=("a",), max_tokens=1, system=TextFile(file="system.txt"))
    with pytest.raises(ConfigError) as missing:
        load_system(spec, folder=tmp_path)
    assert str(missing.value) == (
        f"requests.system: cannot read {tmp_path}/system.txt: No such file or directory. Name a UTF-8 file, "
        "relative to the suite file."
    )
    (tmp_path / "system.txt").write_text("\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"requests.system: .*/system.txt is empty. Write a text, or remove it."):
        load_system(spec, folder=tmp_path)

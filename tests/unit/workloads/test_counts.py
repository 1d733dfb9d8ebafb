import pytest

from energygate.errors import MeasurementInvalid
from energygate.model import Work
from energygate.workloads.counts import Produced, count_work
from energygate.workloads.suites import Extract, WorkRules


@pytest.fixture
def produced(tmp_path):
    files = Produced(stdout=tmp_path / "stdout", result=tmp_path / "result.json")
    files.stdout.write_text("", encoding="utf-8")
    return files


def test_nothing_declared_is_nothing_counted(produced):
    assert count_work(WorkRules(), produced) == Work()


def test_a_constant_stands_for_itself(produced):
    assert count_work(WorkRules(requests=500), produced) == Work(requests=500)


def test_a_json_path_looks_into_the_last_line_that_is_an_object(produced):
    lines = ['{"result": {"tokens": 1}}', '{"result": {"tokens": 640}}', "[1]", "{ no json", "done"]
    produced.stdout.write_text("\n".join(lines), encoding="utf-8")
    assert count_work(WorkRules(output_tokens=Extract(json="result.tokens")), produced) == Work(output_tokens=640)


def test_a_pattern_takes_its_last_match(produced):
    produced.stdout.write_text("generated 3 tokens\ngenerated 64 tokens\n", encoding="utf-8")
    rules = WorkRules(output_tokens=Extract(regex=r"generated (\d+) tokens"))
    assert count_work(rules, produced) == Work(output_tokens=64)


@pytest.mark.parametrize(
    ("result", "work"),
    [
        ('{"requests": 7, "output_tokens": 9}', Work(requests=7, output_tokens=9)),
        ('{"output_tokens": 9, "reasoning_tokens": 0}', Work(requests=500, output_tokens=9, reasoning_tokens=0)),
        ('{"prompt_tokens": 34, "completion_tokens": 15}', Work(requests=500, input_tokens=34, output_tokens=15)),
        ("{}", Work(requests=500)),
    ],
)
def test_a_result_file_comes_first_and_rules_fill_in_what_it_lacks(produced, result, work):
    produced.result.write_text(result, encoding="utf-8")
    assert count_work(WorkRules(requests=500), produced) == work


@pytest.mark.parametrize(
    ("stdout", "rule", "sentence"),
    [
        ("nothing", Extract(regex=r"(\d+) tokens"), "work.requests: nothing on stdout matches '(\\\\d+) tokens'"),
        (
            "9007199254740993 tokens",
            Extract(regex=r"(\d+) tokens"),
            "work.requests is more than 2**53, which nothing can count",
        ),
        ("0 tokens", Extract(regex=r"(\d+) tokens"), "work.requests is 0, not a whole number from 1"),
        ("-4 tokens", Extract(regex=r"(-?\d+) tokens"), "work.requests is -4, not a whole number from 1"),
        ("4.5 tokens", Extract(regex=r"([\d.]+) tokens"), "work.requests is '4.5', not a whole number from 1"),
        ("no", Extract(regex=r"n(x)?o"), "work.requests is None, not a whole number from 1"),
        ("nothing", Extract(json="a.b"), "work.requests: no line of stdout is a JSON object, so it has no a.b"),
        ('{"a": 5}', Extract(json="a.b"), "work.requests: the last JSON object on stdout has no a.b"),
        ('{"a": {"b": true}}', Extract(json="a.b"), "work.requests is True, not a whole number from 1"),
        ('{"a": {"b": 1.0}}', Extract(json="a.b"), "work.requests is 1.0, not a whole number from 1"),
    ],
)
def test_a_declared_count_that_is_none_is_invalid_with_what_was_found(produced, stdout, rule, sentence):
    produced.stdout.write_text(stdout, encoding="utf-8")
    with pytest.raises(MeasurementInvalid) as invalid:
        count_work(WorkRules(requests=rule), produced)
    assert str(invalid.value) == f"work_failed: {sentence}"


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        ("", "the file of ENERGYGATE_RESULT cannot be read as JSON: Input data was truncated"),
        ("[1]", "the file of ENERGYGATE_RESULT holds no JSON object"),
        ('{"requests": 0}', "work.requests is 0, not a whole number from 1"),
        ('{"cached_input_tokens": -1}', "work.cached_input_tokens is -1, not a whole number from 0"),
        ('{"energy": 5}', "usage.input_tokens is missing, so the tokens of an answer are unknown"),
    ],
)
def test_a_result_file_that_cannot_be_counted_is_invalid(produced, result, sentence):
    produced.result.write_text(result, encoding="utf-8")
    with pytest.raises(MeasurementInvalid) as invalid:
        count_work(WorkRules(), produced)
    assert str(invalid.value) == f"work_failed: {sentence}"


def test_a_result_file_that_is_nested_too_deeply_is_invalid(produced):
    produced.result.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(MeasurementInvalid) as invalid:
        count_work(WorkRules(), produced)
    assert str(invalid.value) == (
        "work_failed: the file of ENERGYGATE_RESULT cannot be read as JSON: "
        "maximum recursion depth exceeded while deserializing an object"
    )


def test_a_line_of_stdout_that_is_nested_too_deeply_is_no_object(produced):
    produced.stdout.write_text('{"a": 5}\n{"a": ' + "[" * 100_000, encoding="utf-8")
    assert count_work(WorkRules(requests=Extract(json="a")), produced) == Work(requests=5)


def test_a_folder_in_the_place_of_the_result_file_is_invalid(produced):
    produced.result.mkdir()
    with pytest.raises(MeasurementInvalid) as invalid:
        count_work(WorkRules(requests=1), produced)
    assert str(invalid.value) == "work_failed: the path of ENERGYGATE_RESULT is a folder or a device, not a file"

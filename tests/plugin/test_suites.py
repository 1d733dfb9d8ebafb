"""Suites in YAML as tests."""

import pytest

SUITE = """\
version: 1
suites:
  - {name: hello, kind: command, command: ['{python}', -c, 'print("{\\"tokens\\": 7}")'],
     work: {requests: 2, output_tokens: {json: tokens}}, limits: {j_per_request: 60}}
  - {name: bye, kind: command, command: ['{python}', -c, ''], trials: {count: 2, warmup: 0}}
"""
BROKEN = """\
version: 1
suites:
  - name: hello
    kind: command
    comand: [echo]
"""


def measured(project, *arguments):
    result = project.energy("--energy-save=run.json", *arguments)
    found = project.json("run.json")["benchmarks"]
    return result, {each["name"]: [trial["work"] for trial in each["trials"]] for each in found}


def test_each_suite_of_a_file_is_a_test_and_a_benchmark_of_its_own(project):
    project.write("speed/chat.energy.yml", SUITE)
    project.session_of("speed/chat.energy.yml::hello", "speed/chat.energy.yml::bye")
    result, work = measured(project, "speed", "-v", "--energy-trials=2")
    result.assert_outcomes(passed=2)
    result.stdout.re_match_lines([r"speed/chat\.energy\.yml::hello PASSED.*", r"speed/chat\.energy\.yml::bye PASSED.*"])
    assert work == {
        "speed/chat.energy.yml::hello": [{"requests": 2, "output_tokens": 7}] * 2,
        "speed/chat.energy.yml::bye": [{}] * 2,
    }


def test_a_suite_is_chosen_by_its_node_id_and_gated_by_its_limits(project):
    project.write("chat.energy.yml", SUITE.replace("60", "40"))
    project.session_of("chat.energy.yml::hello")
    result = project.energy("chat.energy.yml::hello", "--energy-trials=5")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert project.verdict(result) == "energy: FAILED, 1 of 1 benchmark over limit"


MATRIX = """\
version: 1
suites:
  - name: hello
    kind: command
    env: {MODEL: none}
    matrix:
      command: [['{python}', -c, ''], ['{python}', -c, 'pass']]
      env.MODEL: [org/a, b.c]
"""
HELLO = "chat.energy.yml::hello"


def test_each_combination_of_a_matrix_is_a_test_with_its_own_node_id_and_labels(project):
    project.write("chat.energy.yml", MATRIX)
    names = [f"{HELLO}[command=#{n},MODEL=#{m}]" for n in (0, 1) for m in (0, 1)]
    project.session_of(*names)
    result, work = measured(project, "chat.energy.yml", "--energy-trials=1")
    result.assert_outcomes(passed=4)
    assert list(work) == names
    labels = [each["labels"] for each in project.json("run.json")["benchmarks"]]
    assert labels[1] == {"command": "#0", "MODEL": "#1"}
    for chosen, wanted in ((names[2], [names[2]]), (HELLO, names)):
        assert list(measured(project, chosen, "--energy-trials=1")[1]) == wanted


def test_a_limit_for_one_combination_holds_for_it_alone(project):
    project.write("chat.energy.yml", MATRIX)
    project.write("energygate.yml", 'version: 1\nlimits: {"*::hello[command=#1,MODEL=*]": {energy_j: 40}}\n')
    project.session_of(*(f"{HELLO}[command=#{n},MODEL=#{m}]" for n in (0, 1) for m in (0, 1)))
    result = project.energy("chat.energy.yml", "--energy-trials=5")
    assert project.verdict(result).startswith("energy: FAILED, 2 of 4 benchmarks over limit")


def test_suites_that_stand_in_the_configuration_are_collected_once(project):
    project.write("chat.energy.yml", SUITE)
    project.write(
        "energygate.yml",
        "version: 1\nsuites:\n  - chat.energy.yml\n  - {name: here, kind: command, command: ['{python}', -c, '']}\n",
    )
    assert project.energy("--collect-only", "-q").outlines[:5] == [
        "chat.energy.yml::hello",
        "chat.energy.yml::bye",
        "energygate.yml::here",
        "test_bench.py::test_encode",
        "test_bench.py::test_decode",
    ]
    project.session_of("energygate.yml::here")
    result, work = measured(project, "energygate.yml", "--energy-trials=1")
    result.assert_outcomes(passed=1)
    assert work == {"energygate.yml::here": [{}]}


def test_a_broken_file_is_an_error_of_collection_with_file_line_and_path(project):
    path = project.write("chat.energy.yml", BROKEN)
    result = project.energy()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)
    wanted = f"{path}:5: suites[0].comand: unknown key."
    assert any(line.startswith(wanted) for line in result.outlines), result.stdout.str()
    assert "Traceback" not in result.stdout.str()


def test_a_program_that_fails_fails_its_test_with_the_reason_and_the_others_go_on(project):
    failing = SUITE.replace("-c, '']", "-c, 'raise SystemExit(3)']")
    project.write("chat.energy.yml", failing)
    project.session_of("chat.energy.yml::hello", "chat.energy.yml::bye")
    result, work = measured(project, "chat.energy.yml")
    result.assert_outcomes(passed=1, failed=1)
    reason = "work_failed: the command exited with status 3. Its last lines: (none)"
    assert reason in result.outlines
    assert work["chat.energy.yml::hello"] == [{"requests": 2, "output_tokens": 7}] * 6
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert project.verdict(result) == "energy: FAILED, 1 of 2 benchmarks invalid"
    assert project.section(result)[2:4] == [
        "invalid      chat.energy.yml::bye",
        f"             3 of 3 trials are invalid. {reason}",
    ]


def test_a_set_up_that_fails_fails_the_test_in_one_sentence(project):
    project.write(
        "chat.energy.yml",
        "version: 1\nsuites:\n"
        "  - {name: a, kind: command, command: [echo], setup: ['{python}', -c, 'raise SystemExit(3)']}\n",
    )
    result = project.energy("chat.energy.yml")
    result.assert_outcomes(failed=1)
    sentence = "a: setup: the command exited with status 3."
    assert [line for line in result.outlines if line.startswith(sentence)]
    assert project.section(result)[1] == "invalid  chat.energy.yml::a"
    assert project.section(result)[2].strip().startswith(sentence)


def test_a_dataset_that_is_not_there_fails_the_test_in_one_sentence(project):
    project.write(
        "chat.energy.yml",
        "version: 1\nsuites:\n  - {name: a, kind: inference, endpoint: {url: 'http://127.0.0.1:9/v1', model: m},\n"
        "     requests: {dataset: absent.jsonl, max_tokens: 4}}\n",
    )
    result = project.energy("chat.energy.yml")
    result.assert_outcomes(failed=1)
    assert "Traceback" not in result.stdout.str()
    assert any("absent.jsonl" in line for line in result.outlines)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_python_function_is_called_in_this_process_and_counted_by_what_it_returns(project):
    project.write("speed/answers.py", "def every(n):\n    return {'requests': n, 'output_tokens': 7 * n}\n")
    suite = "{name: answers, kind: python, callable: 'answers:every', args: {n: 3}}"
    project.write("speed/own.energy.yml", f"version: 1\nsuites:\n  - {suite}\n")
    project.session_of("speed/own.energy.yml::answers")
    result, work = measured(project, "speed", "--energy-trials=2")
    result.assert_outcomes(passed=1)
    assert work == {"speed/own.energy.yml::answers": [{"requests": 3, "output_tokens": 21}] * 2}


def test_a_python_function_that_is_not_there_fails_its_test_with_one_sentence(project):
    project.write("speed/answers.py", "")
    suite = "{name: answers, kind: python, callable: 'answers:every'}"
    project.write("speed/own.energy.yml", f"version: 1\nsuites:\n  - {suite}\n")
    project.session_of("speed/own.energy.yml::answers")
    result = project.energy("speed", "--energy-trials=2")
    result.assert_outcomes(failed=1)
    assert "answers: answers has no every. Correct callable." in result.outlines
    assert "Traceback" not in result.stdout.str()


def test_a_suite_whose_answers_will_vary_in_length_is_told_before_it_is_measured(project):
    project.write(
        "chat.energy.yml",
        "version: 1\nsuites:\n  - {name: a, kind: inference, endpoint: {url: 'http://127.0.0.1:9/v1', model: m},\n"
        "     requests: {prompts: [Name three fruits.], max_tokens: 4, temperature: 0.7}}\n",
    )
    told = (
        "energy: a: requests.temperature is 0.7, so answer lengths will vary from trial to trial. "
        "Set it to 0, or fixed_output to true."
    )
    assert told in project.energy("chat.energy.yml").errlines

"""`energygate history`, `plan` and `aa`: what the stored runs say over time."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from energygate.cli.completing import benchmark_names
from energygate.cli.helping import Documented
from energygate.cli.history_page import write_history_page
from energygate.cli.options import (
    BASELINES,
    CONFIG,
    HOW_TO_RECORD,
    as_json_option,
    given_run,
    own_option,
    settings_of,
    store_of,
    window_rules,
)
from energygate.cli.output import shown
from energygate.cli.writing import tell, write_json, write_out
from energygate.compare import are_paired
from energygate.errors import BaselineError, ConfigError
from energygate.history.plan import Aim, BenchmarkPlan, plan
from energygate.history.self_test import FEWEST_SESSIONS, SelfTest, self_test, shares_of
from energygate.history.stored import find_stored
from energygate.history.timeline import WindowRules
from energygate.history.trend import by_machine, newest_benchmarks, trends
from energygate.history.window import Sessions, windows
from energygate.judging import split_by_machine
from energygate.model import Baseline, Benchmark, Machine, Run
from energygate.pipeline import Surroundings
from energygate.planting import block_p_values, plant_in_blocks, plant_in_sessions
from energygate.policy import Policy
from energygate.report.history import history_document, render_history
from energygate.report.plan import plan_document, render_plan
from energygate.report.self_test import render_self_test, self_test_document
from energygate.settings import Settings, most_alike
from energygate.units import parse_percent

_ALL_SESSIONS = 50


@click.command(cls=Documented)
@click.argument("benchmark", required=False, shell_complete=benchmark_names)
@click.option("--config", metavar="FILE", help=CONFIG)
@click.option("--baselines", metavar="URI", help=BASELINES)
@click.option("--report", "page", metavar="html:FILE", help="Also write it as one HTML file.")
@as_json_option
def history(benchmark: str | None, *, page: str | None, as_json: bool, **options: Any) -> None:
    """Show levels, changes and acceptances over the stored sessions.

    Of every benchmark, or of BENCHMARK alone. A star marks the sessions that the next run is compared with. Each value
    is the session's typical trial, which an outlier moves less than the mean that is shown after measuring.
    """
    settings = settings_of(options)
    found = trends(_stored_runs(options), _rules(settings), name=benchmark)
    if not found:
        raise _none_stored(options, benchmark)
    if page is not None:
        write_history_page(page, found)
    if as_json:
        write_json(history_document(found))
    else:
        display = shown()
        write_out(render_history(found, color=display.color, width=display.width))


@click.command(cls=Documented, name="plan")
@click.argument("benchmark", required=False, shell_complete=benchmark_names)
@own_option("--detect", metavar="PERCENT", help="The increase that is to be found: 3% (default: gate.budget).")
@own_option("--queued", type=click.IntRange(min=1), default=1, help="Benchmarks that are measured again at once.")
@click.option("--config", metavar="FILE", help=CONFIG)
@click.option("--baselines", metavar="URI", help=BASELINES)
@as_json_option
def plan_trials(benchmark: str | None, *, detect: str | None, queued: int, as_json: bool, **options: Any) -> None:
    """Say how many blocks or sessions find an increase.

    And what today's settings find; both from the noise of the stored runs.
    """
    settings = settings_of(options)
    effect, rules = settings.policy.budget if detect is None else _effect(detect), _rules(settings)
    planned = [
        (machine, [plan(each, _aim(each, settings, effect, queued, len(found))) for each in found])
        for machine, found in _windows(_stored_runs(options), rules, benchmark, most=rules.sessions)
        if found
    ]
    if not planned:
        raise _none_stored(options, benchmark)
    _print_plans(planned, power=settings.policy.power, as_json=as_json)


@click.command(cls=Documented)
@own_option(
    "--blocks",
    type=click.Path(path_type=Path),
    nargs=2,
    metavar="BASE HEAD",
    help="Test on one commit interleaved with itself: the two runs of `energygate ab`.",
)
@click.option("--config", metavar="FILE", help=CONFIG)
@click.option("--baselines", metavar="URI", help=BASELINES)
@as_json_option
def aa(*, blocks: tuple[Path, Path] | None, as_json: bool, **options: Any) -> None:
    """Test the test where nothing changed: how often it alarms.

    And what it finds of planted 3, 5 and 10 %. It looks at the stored runs, each compared with the others of its
    machine.
    """
    settings = settings_of(options)
    tests = _stored_tests(options, settings) if blocks is None else [_blocks_test(blocks, settings)]
    if as_json:
        write_json(self_test_document(tests))
    else:
        display = shown()
        write_out(render_self_test(tests, color=display.color, width=display.width))


def _stored_tests(options: dict[str, Any], settings: Settings) -> list[SelfTest]:
    rules = _rules(settings)
    machines = _windows(_stored_runs(options), rules, None, most=_ALL_SESSIONS)
    tests = [test for machine, found in machines if (test := _tested(found, machine, settings, rules)) is not None]
    if not tests:
        raise BaselineError(
            f"No benchmark in {store_of(options).where} has {FEWEST_SESSIONS} sessions on one level.",
            why="Each is compared with the others, and fewer than three others convict nothing.",
            fix=f"Record more runs of the main branch: {HOW_TO_RECORD}.",
        )
    return tests


def _blocks_test(files: tuple[Path, Path], settings: Settings) -> SelfTest:
    base, head = (given_run(file) for file in files)
    split_by_machine([base], head)
    if not are_paired(base, head):
        raise ConfigError(
            f"{files[0]} and {files[1]} are not the two sides of one interleaving.",
            fix="Give the two runs of one `energygate ab --save`: run.base.json and run.json.",
        )
    if base.source.commit != head.source.commit or base.source.dirty != head.source.dirty:
        raise ConfigError(
            f"{files[0]} and {files[1]} are of different code.",
            why="Where something changed, what is found need not be a false alarm.",
            fix="Interleave one commit with itself: `energygate ab --base HEAD`, without uncommitted changes.",
        )
    policy = _policy(settings, head.benchmarks)
    p_values = block_p_values(base, head, policy)
    if not p_values:
        raise BaselineError(f"{files[1]}: no benchmark has enough valid blocks.", fix="Measure more blocks.")
    return SelfTest(
        machine=head.machine.label,
        fingerprint=head.machine.fingerprint,
        how="interleaved",
        benchmarks=len(p_values),
        shares=shares_of(p_values),
        planted=plant_in_blocks(base, head, policy),
    )


def _tested(found: Sequence[Sessions], machine: Machine, settings: Settings, rules: WindowRules) -> SelfTest | None:
    test = self_test(found, rules.prior, machine)
    return (
        None
        if test is None
        else replace(test, planted=plant_in_sessions(found, _policy(settings, [each.benchmark for each in found])))
    )


def _policy(settings: Settings, benchmarks: Sequence[Benchmark]) -> Policy:
    return replace(settings.policy, rules={each.name: settings.rules_for(each.name, each.rules) for each in benchmarks})


def _windows(
    runs: Sequence[Run], rules: WindowRules, name: str | None, *, most: int
) -> list[tuple[Machine, list[Sessions]]]:
    """Give, for each machine, at most so many sessions of each benchmark that has any."""
    return [(machine, _sessions(baseline, rules, name, most)) for machine, baseline in by_machine(runs)]


def _sessions(baseline: Baseline, rules: WindowRules, name: str | None, most: int) -> list[Sessions]:
    benchmarks = newest_benchmarks(baseline, name)
    stored = find_stored(benchmarks, baseline, rules)
    for warning in stored.warnings:
        tell(f"warning: {warning}")
    found = windows(benchmarks, baseline, replace(stored.rules, sessions=most), stored=stored.every)
    return [each for each in found if each.found]


def _aim(each: Sessions, settings: Settings, effect: float, queued: int, benchmarks: int) -> Aim:
    policy, rules = settings.policy, settings.rules_for(each.benchmark.name, each.benchmark.rules)
    return Aim(
        effect=effect,
        budget=rules.budget,
        min_effect=rules.min_effect,
        false_alarms=policy.false_alarms,
        power=policy.power,
        confidence=policy.confidence,
        prior=_rules(settings).prior,
        min_blocks=policy.confirm.min_blocks,
        max_blocks=policy.confirm.max_blocks,
        benchmarks=benchmarks,
        queued=queued,
    )


def _print_plans(planned: Sequence[tuple[Machine, list[BenchmarkPlan]]], *, power: float, as_json: bool) -> None:
    if as_json:
        machines = [plan_document(plans, machine=m.label, fingerprint=m.fingerprint) for m, plans in planned]
        write_json({"schema": "energygate.plan/1", "machines": machines})
        return
    display = shown()
    for machine, plans in planned:
        write_out(render_plan(plans, machine=machine.label, power=power, color=display.color, width=display.width))


def _effect(text: str) -> float:
    try:
        effect = parse_percent(text)
    except ValueError as error:
        raise ConfigError(f"--detect: {error}.") from error
    if not 0 < effect <= 1:
        raise ConfigError(f"--detect {text}: an increase above 0 % and at most 100 % can be planned for.")
    return effect


def _rules(settings: Settings) -> WindowRules:
    return window_rules(settings, on=Surroundings().now().date())


def _stored_runs(options: dict[str, Any]) -> list[Run]:
    return [each.run for each in store_of(options).everything()]


def _none_stored(options: dict[str, Any], benchmark: str | None) -> BaselineError:
    what = "no run" if benchmark is None else f"no session of a benchmark called {benchmark!r}"
    names = [] if benchmark is None else _names(_stored_runs(options))
    stored = f"It has {most_alike(benchmark, names)}. " if benchmark and names else ""
    return BaselineError(
        f"{store_of(options).where} holds {what}.",
        fix=f"{stored}`energygate baseline list` shows the stored runs; {HOW_TO_RECORD} stores one.",
    )


def _names(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(benchmark.name for run in runs for benchmark in run.benchmarks))

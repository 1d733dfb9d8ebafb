"""Whole reports, judged as they are in earnest: every kind that a format has to show, and small and large ones."""

from collections.abc import Iterator
from functools import cache

from fakes import (
    NAME,
    STEADY_J,
    a_baseline,
    a_benchmark,
    a_meter,
    a_run,
    a_trial,
    an_acceptance,
    some_blocks,
    some_trials,
)
from msgspec.structs import replace

from energygate.judging import judge, judge_interleaved, judge_two_stages
from energygate.model import Baseline, Embodied, Intensity, Location, Metric, Terms
from energygate.policy import Anchor, Policy, Rules

CHAT = "chat.energy.yml::smollm2"
PINNED = "1" * 40
GUESS = (a_meter(name="estimate", kind="estimate", domains=("cpu-estimate",)),)
POWER = (a_meter(name="nvml-power", kind="integrated", domains=("gpu-0",)),)
HOT = {"cpu": {"temp_start_c": 51.0, "temp_end_c": 58.5}, "gpu-0": {"reasons": ["sw_power_cap"]}}
TERMS = Terms(
    price_per_kwh=0.24,
    currency="EUR",
    pue=1.2,
    intensity=Intensity(g_co2e_per_kwh=386.0, source="a table", zone="DE", year=2025),
    embodied=Embodied(total_g_co2e=1_205_520, lifespan_s=4 * 365 * 24 * 3600, share=0.125, source="its data sheet"),
)
_POLICY = Policy()


def plain(factor=1.0, *, name=NAME, **more):
    """A benchmark without counted work, whose trials take so many hundred joules."""
    return a_benchmark(name=name, trials=some_trials([factor * energy_j for energy_j in STEADY_J]), **more)


def chat(factor=1.0, *, tokens=512):
    """A benchmark that counts requests and tokens, on two domains."""
    trials = [
        a_trial(
            index=index,
            energy_j={"package-0": factor * energy_j, "gpu-0": 3.1 * factor * energy_j},
            requests=16,
            input_tokens=2048,
            output_tokens=tokens + index % 2,
            conditions=HOT | {"inference": _served(factor)},
        )
        for index, energy_j in enumerate(STEADY_J)
    ]
    return a_benchmark(name=CHAT, trials=trials, location=Location(file="chat.energy.yml", line=3))


def _served(factor):
    """How fast a server answered: the slower, the more joules it took."""
    return {
        "ttft_s": {"p50": 0.0312 * factor, "p95": 0.05},
        "request_s": {"p50": 1.417 * factor, "p95": 2.0},
        "output_tokens_per_s": 96.3 / factor,
        "phases": {"prefill_s": 0.41 * factor, "decode_s": 19.7 * factor},
    }


def in_turns(factor=1.0, *, name=NAME):
    """One side of ten blocks."""
    return a_benchmark(name=name, trials=some_blocks([factor * energy_j for energy_j in STEADY_J * 2]))


def against(head, *sessions, policy=_POLICY, **more):
    """Judge some benchmarks beside their stored sessions."""
    return judge(a_run(*head, day=20, **more), a_baseline(*sessions), policy)


def many(count):
    """Judge so many benchmarks from microjoules to kilojoules; every seventh has regressed, every ninth improved."""
    sizes = [10.0 ** (n % 9 - 6) for n in range(count)]
    names = [f"tests/bench_{n % 20:02}.py::test_number_{n:03}" for n in range(count)]
    changes = [1.25 if n % 7 == 3 else 0.8 if n % 9 == 5 else 1.0 + n % 5 / 1000 for n in range(count)]
    base = [plain(size, name=name) for size, name in zip(sizes, names, strict=True)]
    head = [plain(s * change, name=name) for s, change, name in zip(sizes, changes, names, strict=True)]
    return against(head, *[base] * 4)


def _accepted():
    runs = a_baseline(*[plain(1.3)] * 5, *[plain()] * 5).runs
    accepting = replace(runs[4], accepts=(an_acceptance(),))
    return judge(a_run(plain(1.8), day=20), Baseline(runs=(*runs[:4], accepting, *runs[5:])), _POLICY)


def _limited():
    return Policy(rules={NAME: Rules(budget=0.1, limits={Metric.ENERGY_J: 90.0, Metric.DURATION_S: 5.0})})


def _invalid():
    trials = [a_trial(index=i, invalid="throttled: the processors were slowed down twice.") for i in range(5)]
    return against([a_benchmark(trials=trials)], *[plain()] * 4)


def _anchored():
    pinned = [a_run(plain(0.8), day=day, commit=PINNED) for day in (4, 3, 2, 1)]
    later = [a_run(plain(0.82), day=day) for day in (9, 8, 7, 6, 5)]
    anchors = (Anchor(name="v1", commit=PINNED, budget=0.1), Anchor(name="v0", commit="2" * 40, budget=0.1))
    return judge(a_run(plain(0.97), day=20), Baseline(runs=(*later, *pinned)), Policy(anchors=anchors))


def _in_other_terms():
    return replace(against([chat(1.2), plain()], *[(chat(), plain())] * 4), terms=TERMS)


def _two_stages():
    base, head = a_run(in_turns(), day=21), a_run(in_turns(1.2), day=22)
    first = a_run(plain(1.15), plain(name="other"), day=20)
    stored = a_baseline(*[(plain(), plain(name="other"))] * 4)
    return judge_two_stages(first, stored, _limited(), confirmed=(base, head))


def _missing():
    return judge(a_run(plain(), day=20), a_baseline(*[plain()] * 4), _POLICY, missing=[plain(name="gone")])


_MADE = {
    "passing": lambda: against([plain(1.001)], *[plain()] * 4),
    "regressed since an accepted increase": _accepted,
    "over a limit": lambda: against([plain()], *[plain()] * 4, policy=_limited()),
    "invalid": _invalid,
    "an estimate that may not decide": lambda: against([plain()], *[plain()] * 4, meters=GUESS),
    "an estimate": lambda: against([plain()], *[plain()] * 4, meters=GUESS, policy=Policy(allow_estimates=True)),
    "integrated power": lambda: against([plain()], *[plain()] * 4, meters=POWER, policy=Policy(allow_estimates=True)),
    "tokens": lambda: against([chat(1.2)], *[chat()] * 4),
    "other terms": _in_other_terms,
    "longer answers": lambda: against([chat(1.2, tokens=700)], *[chat()] * 4),
    "anchors": _anchored,
    "in turns": lambda: judge_interleaved(a_run(in_turns(), day=21), a_run(in_turns(1.2), day=22), _POLICY),
    "two stages": _two_stages,
    "a missing benchmark": _missing,
    "no baseline": lambda: against([plain()]),
    "nothing": lambda: judge(a_run(), Baseline(), _POLICY),
    "1": lambda: many(1),
    "20": lambda: many(20),
    "500": lambda: many(500),
}
KINDS = tuple(_MADE)


@cache
def shown_report(kind):
    """The report of that kind."""
    return _MADE[kind]()


def shown_reports() -> Iterator:
    """Every report, the large ones last."""
    return map(shown_report, KINDS)

import datetime as dt
import json
import tempfile
from pathlib import Path

import pytest
from fakes import FIRST_DAY, a_benchmark, a_machine, a_run
from hypothesis import given, settings
from hypothesis import strategies as st

from energygate.baseline.schema import decode_run, encode_run
from energygate.baseline.store import FolderStore
from energygate.errors import BaselineError
from energygate.model import MOST_J, Acceptance, Benchmark, Idle, Location, MeterInfo, Run, Source, Trial, Work

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JOULES = st.floats(0, MOST_J)
SECONDS = st.floats(0, 1e9)
WATTS = st.floats(0, allow_infinity=False)
COUNT = st.integers(0, 2**53)
TIME = st.datetimes(timezones=st.just(dt.UTC))
COMMIT = st.text("0123456789abcdef", min_size=40, max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | COUNT | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
TRIALS = st.builds(
    Trial,
    index=COUNT,
    started_s=SECONDS,
    duration_s=SECONDS,
    energy_j=st.dictionaries(TEXT, JOULES, max_size=3),
    work=st.builds(Work, requests=st.none() | COUNT, output_tokens=st.none() | COUNT),
    iterations=st.integers(1, 10**6),
    block=st.none() | COUNT,
    conditions=st.dictionaries(TEXT, JSON, max_size=2),
    invalid=st.none() | TEXT,
)
BENCHMARKS = st.builds(
    Benchmark,
    name=TEXT.filter(bool),
    workload=TEXT,
    labels=st.dictionaries(TEXT, TEXT, max_size=2),
    trials=st.lists(TRIALS, max_size=3).map(tuple),
    invalid=st.none() | TEXT,
    location=st.none() | st.builds(Location, file=TEXT, line=st.integers(1, 10**6)),
    notes=st.lists(TEXT, max_size=2).map(tuple),
)
METERS = st.builds(
    MeterInfo,
    name=TEXT,
    kind=st.sampled_from(["counter", "integrated", "scraped", "estimate", "replay"]),
    domains=st.lists(TEXT, max_size=2).map(tuple),
    update_interval_s=SECONDS,
    resolution_j=JOULES,
    detail=TEXT,
)
POWER_W = st.dictionaries(TEXT, WATTS, max_size=2)
RUNS = st.builds(
    Run,
    run_id=st.from_regex(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{10}", fullmatch=True, alphabet=st.characters(codec="ascii")),
    started_at=TIME,
    source=st.builds(
        Source, commit=st.none() | COMMIT, branch=st.none() | TEXT, dirty=st.booleans(), repository=st.none() | TEXT
    ),
    tool=st.dictionaries(TEXT, TEXT, max_size=2),
    machine=st.builds(
        lambda hard, soft: a_machine(hard=hard, soft=soft), *[st.dictionaries(TEXT, JSON, max_size=3)] * 2
    ),
    meters=st.lists(METERS, max_size=2).map(tuple),
    benchmarks=st.lists(BENCHMARKS, max_size=3, unique_by=lambda benchmark: benchmark.name).map(tuple),
    idle=st.none() | st.builds(Idle, before_w=POWER_W, after_w=POWER_W),
    accepts=st.lists(st.builds(Acceptance, benchmark=TEXT, by=TEXT, reason=TEXT, at=TIME), max_size=2).map(tuple),
    notes=st.lists(TEXT, max_size=2).map(tuple),
)
SAMPLE = encode_run(a_run(a_benchmark()))


def law(*strategies):
    """Like `given`, but however slow the machine."""
    return lambda test: settings(deadline=None, max_examples=60)(given(*strategies)(test))


@law(RUNS)
def test_every_run_is_read_back_as_it_was_written(run):
    assert decode_run(encode_run(run), origin="run.json") == run


@law(st.integers(0, len(SAMPLE) - 3))
def test_a_file_cut_off_anywhere_is_refused(length):
    with pytest.raises(BaselineError, match=r"^run\.json: not a complete JSON document"):
        decode_run(SAMPLE[:length], origin="run.json")


@law(st.binary(max_size=60) | st.text(max_size=60).map(str.encode) | JSON.map(json.dumps).map(str.encode))
def test_no_other_file_is_taken_for_a_run(data):
    with pytest.raises(BaselineError, match=r"^run\.json: "):
        decode_run(data, origin="run.json")


@law(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255))
def test_a_file_with_one_spoilt_byte_is_a_run_or_refused(position, byte):
    spoilt = SAMPLE[:position] + bytes([byte]) + SAMPLE[position + 1 :]
    try:
        assert isinstance(decode_run(spoilt, origin="run.json"), Run)
    except BaselineError as refusal:
        assert str(refusal).startswith("run.json: ")  # noqa: PT017  either end is right, a third is not


@law(st.dictionaries(TEXT, JSON, max_size=4))
def test_fields_of_a_later_version_are_ignored(fields):
    document = json.loads(SAMPLE)
    later = fields | document
    assert decode_run(json.dumps(later).encode(), origin="run.json") == decode_run(SAMPLE, origin="run.json")


@law(st.lists(st.integers(0, 10**6), unique=True, max_size=8))
def test_a_store_gives_back_everything_newest_first(minutes):
    runs = [
        Run(
            run_id=f"{FIRST_DAY:%Y%m%dT%H%M%SZ}-{minute:010x}",
            started_at=FIRST_DAY + dt.timedelta(minutes=minute),
            source=Source(),
            tool={},
            machine=a_machine(),
            meters=(),
            benchmarks=(),
        )
        for minute in minutes
    ]
    with tempfile.TemporaryDirectory() as folder:
        store = FolderStore(Path(folder))
        for run in runs:
            store.add(run)
        newest_first = sorted(runs, key=lambda run: run.started_at, reverse=True)
        assert store.load(a_machine().fingerprint).runs == tuple(newest_first)
        assert [stored.run for stored in store.everything()] == newest_first

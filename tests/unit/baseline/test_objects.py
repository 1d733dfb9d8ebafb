import sys
import uuid

import fsspec
import httpx
import pytest
from fakes import FINGERPRINT, a_benchmark, a_run

from energygate.baseline.objects import ObjectStore, _created, open_objects
from energygate.baseline.schema import encode_run
from energygate.errors import BaselineError, ConfigError, NotStored

FIX = (
    "The bucket must exist, and this job needs credentials that may list, read and write there "
    "(docs/baselines.md#object-storage)."
)
RUN = a_run(a_benchmark())
NAME = f"{FINGERPRINT}/20261101T031500Z-0123456789ab-{RUN.run_id}.json"


@pytest.fixture
def memory():
    return open_objects(f"memory://{uuid.uuid4().hex}/baselines/")


def put(store, name, data):
    """Write an object as somebody else would."""
    files, root = fsspec.core.url_to_fs(store.uri)
    files.pipe_file(f"{root}/{name}", data)


def test_an_object_is_called_after_machine_time_commit_and_id_below_the_url(bucket):
    store = open_objects(bucket)
    assert store.add(RUN) == f"{bucket}/{NAME}"
    assert fsspec.open(f"{bucket}/{NAME}").open().read() == encode_run(RUN)


def test_other_objects_are_left_alone(memory):
    memory.add(RUN)
    for name in ("README.md", f"{FINGERPRINT}/README.md", f"{FINGERPRINT}/.half.json", f"{FINGERPRINT}/old/a.json"):
        put(memory, name, b"{")
    assert [each.run for each in memory.everything()] == [RUN]


def test_a_spoilt_object_is_named_and_never_skipped(memory):
    put(memory, f"{FINGERPRINT}/a*b.json", b"{")
    with pytest.raises(BaselineError) as refused:
        memory.load(FINGERPRINT)
    assert str(refused.value).startswith(f"{memory.uri}/{FINGERPRINT}/a*b.json: not a complete JSON document")


def test_a_bucket_that_is_not_there_is_no_empty_store_and_is_not_made(s3):
    store = open_objects("s3://no-such-bucket/baselines")
    for read in (store.everything, lambda: store.load(FINGERPRINT), lambda: store.require_writable(FINGERPRINT)):
        with pytest.raises(BaselineError) as refused:
            read()
        assert str(refused.value) == (
            "Cannot read the baselines in s3://no-such-bucket/baselines: FileNotFoundError: The specified bucket does "
            f"not exist. Unread baselines must not look like none. {FIX}"
        )
    with pytest.raises(NotStored) as unstored:
        store.add(RUN)
    assert str(unstored.value) == (
        f"Cannot write s3://no-such-bucket/baselines/{NAME}: FileNotFoundError: The specified bucket does not exist. "
        f"{FIX}"
    )
    assert httpx.get(f"{s3}/no-such-bucket").status_code == 404


@pytest.mark.parametrize(
    ("uri", "missing"), [("s3://", "bucket"), ("s3:///a", "bucket"), ("gs:///", "bucket"), ("file:///", "folder")]
)
def test_a_url_that_names_no_place_is_refused(uri, missing):
    with pytest.raises(ConfigError) as refused:
        open_objects(uri)
    assert str(refused.value) == (
        f"baselines: {uri!r}: it names no {missing}. Nothing would be stored there, and nothing found. "
        "Give the whole URL, for example `baselines: s3://BUCKET/FOLDER`."
    )


def test_a_store_that_cannot_be_reached_is_no_empty_one_and_no_credential_is_told(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://canary-user:canary-password@127.0.0.1:9")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "canary-session")
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)  # or it waits for seconds between them
    store = open_objects("s3://bucket/baselines")
    with pytest.raises(BaselineError) as refused:
        store.everything()
    with pytest.raises(NotStored) as unstored:
        store.add(RUN)
    assert str(refused.value).startswith("Cannot read the baselines in s3://bucket/baselines: HTTPClientError: ")
    assert "canary" not in f"{refused.value} {unstored.value}"


def test_without_credentials_nothing_is_read_and_that_is_said(s3, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(BaselineError) as refused:
        open_objects("s3://bucket/baselines").load(FINGERPRINT)
    assert str(refused.value) == (
        "Cannot read the baselines in s3://bucket/baselines: NoCredentialsError: Unable to locate credentials. "
        f"Unread baselines must not look like none. {FIX}"
    )


def test_a_storage_that_can_only_be_read_is_said_to_be():
    with pytest.raises(NotStored) as refused:
        ObjectStore("data://user:canary@somewhere").add(RUN)
    assert str(refused.value) == f"Cannot write data://***@somewhere/{NAME}: ValueError: Read only filesystem. {FIX}"
    assert "canary" not in str(refused.value)


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch):
    with pytest.raises(ConfigError) as refused:
        open_objects("gs://bucket/baselines").everything()
    assert str(refused.value) == (
        "baselines: gs://bucket/baselines: Please install gcsfs to access Google Storage. "
        "Install what reads gs:// URLs: fsspec, and its package for that storage."
    )
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(ConfigError) as refused:
        open_objects("s3://bucket/baselines").everything()
    assert str(refused.value).endswith("Install what reads s3:// URLs: python -m pip install 'energygate[s3]'.")
    monkeypatch.undo()
    with pytest.raises(ConfigError) as refused:
        open_objects("nowhere://bucket").everything()
    assert str(refused.value).startswith("baselines: nowhere://bucket: Protocol not known: nowhere.")


def test_a_write_whose_answer_was_lost_has_stored_the_run(bucket):
    files, root = fsspec.core.url_to_fs(f"{bucket}/{NAME}")
    assert _created(files, root, encode_run(RUN))
    assert _created(files, root, encode_run(RUN))
    assert not _created(files, root, b"another")
    assert open_objects(bucket).load(FINGERPRINT).runs == (RUN,)

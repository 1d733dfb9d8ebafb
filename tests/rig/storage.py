"""A real S3-compatible server in this process, on loopback."""

import os
import uuid

import httpx
import pytest

ENVIRON = {
    "AWS_ACCESS_KEY_ID": "canary-key-id",
    "AWS_SECRET_ACCESS_KEY": "canary-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "1",
}


@pytest.fixture(scope="session")
def s3_server():
    """Where the server listens."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415  it takes a second to import

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server, monkeypatch):
    """The server, and credentials for it in the environment."""
    from s3fs import S3FileSystem  # noqa: PLC0415  half a second to import

    S3FileSystem.clear_instance_cache()  # it has read another test's environment
    for name, value in {**ENVIRON, "AWS_ENDPOINT_URL": s3_server}.items():
        monkeypatch.setenv(name, value)
    return s3_server


@pytest.fixture
def bucket(s3):
    """A folder of a new bucket, as a URL."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    httpx.put(f"{s3}/{name}").raise_for_status()
    return f"s3://{name}/team/baselines"

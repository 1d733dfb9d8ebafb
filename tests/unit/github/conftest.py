import contextlib

import pytest
from fakes_hub import Connected


@pytest.fixture
def connect(github):
    """Makes Hubs on the fake GitHub."""
    with contextlib.ExitStack() as sessions:

        def made(**facts):
            hub = Connected(github, **facts)
            sessions.enter_context(hub.session)
            return hub

        yield made


@pytest.fixture
def hub(connect):
    return connect()

"""The environment by which processes that tests start reach this machine alone.

Whoever asks for another one is refused at once, by a proxy that is not there.
"""

import os

_NOWHERE = "http://127.0.0.1:9"
_HERE = {"HTTPS_PROXY": _NOWHERE, "HTTP_PROXY": _NOWHERE, "NO_PROXY": "127.0.0.1,localhost,::1"}
LOOPBACK = _HERE | {name.lower(): value for name, value in _HERE.items()}
OUTSIDE = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
"""The proxies by which this machine reaches others, for the one test that installs from a registry."""

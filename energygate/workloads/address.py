"""Hosts and ports: is it this machine, which port is free."""

import errno
import socket
from collections.abc import Iterable


def is_this_machine(host: str) -> bool:
    """Whether every address of `host` is one of ours: only those can be bound.

    Raises
    ------
    OSError
        If the name cannot be resolved.
    """
    return all(_can_bind(family, (address[0], 0)) for family, address in _addresses(host))


def free_port(host: str) -> int:
    """Give a TCP port of `host` that nobody listens on just now."""
    family, address = next(iter(_addresses(host)))
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((address[0], 0))
        port: int = probe.getsockname()[1]
        return port


def is_taken(host: str, port: int) -> bool:
    """Whether somebody listens on that port."""
    return not all(_can_bind(family, (address[0], port)) for family, address in _addresses(host))


def _addresses(host: str) -> Iterable[tuple[socket.AddressFamily, tuple[str, int]]]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [(family, (str(address[0]), 0)) for family, _, _, _, address in found]


def _can_bind(family: socket.AddressFamily, address: tuple[str, int]) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Otherwise connections that are merely closing would count as a listener.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            if error.errno in {errno.EADDRNOTAVAIL, errno.EADDRINUSE}:
                return False
            raise
    return True

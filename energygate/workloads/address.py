"""Hosts and ports: is it this machine, which port is free."""

import errno
import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

_Address = tuple[socket.AddressFamily, tuple[Any, ...]]


def is_this_machine(host: str) -> bool:
    """Whether every address of `host` is one of ours: only those can be bound.

    Raises
    ------
    OSError
        If the name cannot be resolved.
    UnicodeError
        If it can be no name at all.
    """
    return all(
        # Bound to nothing where IPv6 is off, and still nobody else's.
        ipaddress.ip_address(address[0].partition("%")[0]).is_loopback
        or _bind_fault(family, address) != errno.EADDRNOTAVAIL
        for family, address in _addresses(host, 0)
    )


def free_port(host: str) -> int:
    """Give a TCP port of `host` that nobody listens on just now."""
    family, address = next(found for found in _addresses(host, 0) if _bind_fault(*found) is None)
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind(address)
        port: int = probe.getsockname()[1]
        return port


def is_taken(host: str, port: int) -> bool:
    """Whether somebody listens on that port."""
    return any(_bind_fault(*found) == errno.EADDRINUSE for found in _addresses(host, port))


def _addresses(host: str, port: int) -> Iterator[_Address]:
    for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        yield family, address


def _bind_fault(family: socket.AddressFamily, address: tuple[Any, ...]) -> int | None:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # Otherwise connections that are merely closing would count as a listener.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error.errno
    return None

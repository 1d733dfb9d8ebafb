import socket

import pytest

from energygate.workloads import address


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "0.0.0.0"])
def test_loopback_and_every_address_that_can_be_bound_are_this_machine(host):
    assert address.is_this_machine(host)


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7"])  # addresses that documentation alone may use
def test_an_address_of_somebody_else_is_not(host):
    assert not address.is_this_machine(host)


@pytest.mark.parametrize("host", ["a..b", "x" * 64])
def test_what_cannot_be_a_name_is_an_error(host):
    with pytest.raises(UnicodeError):
        address.is_this_machine(host)


def test_a_port_is_taken_while_somebody_listens_and_free_otherwise():
    port = address.free_port("127.0.0.1")
    assert not address.is_taken("127.0.0.1", port)
    with socket.create_server(("127.0.0.1", port)):
        assert address.is_taken("127.0.0.1", port)
        assert address.free_port("127.0.0.1") != port
    assert not address.is_taken("127.0.0.1", port)

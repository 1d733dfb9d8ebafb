import pytest

from energygate.github.waiting import trouble_in

NOW_S = 1_900_000_000.0


def wait_s(status, headers, text="", attempt=0):
    found = trouble_in(status, headers, text, attempt=attempt, now_s=NOW_S, jitter_s=0.25)
    return None if found is None else found.wait_s


@pytest.mark.parametrize(
    ("status", "headers", "waited_s"),
    [
        (403, {"Retry-After": "7", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1900000090"}, 7),
        (403, {"Retry-After": "0"}, 0),
        (403, {"Retry-After": "Sun, 17 Mar 2030 17:47:10 GMT"}, 30),
        (429, {"Retry-After": "Sun, 17 Mar 2030 17:46:10 GMT"}, 0),  # that time is past
        (429, {"Retry-After": "Sun, 17 Mar 2030 17:47:10 +0100"}, 60),  # no date of HTTP
        (429, {"Retry-After": "-5"}, 60),
        (429, {"Retry-After": "٣"}, 60),  # a digit, but not of HTTP
        (429, {"Retry-After": "9" * 5000}, float("inf")),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1899999990"}, 0),
        (403, {"X-RateLimit-Remaining": "0"}, None),
        (403, {"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "1900000090"}, None),
        (404, {"Retry-After": "7"}, None),
        (200, {"Retry-After": "7"}, None),
        (503, {"Retry-After": "7"}, 1.25),
    ],
)
def test_only_a_number_of_seconds_or_a_time_that_a_refusal_names_is_waited(status, headers, waited_s):
    assert wait_s(status, headers) == waited_s


@pytest.mark.parametrize(
    ("status", "text", "waits_s"),
    [
        (429, "", [60, 120, 240]),
        (403, "You have exceeded a Secondary Rate Limit.", [60, 120, 240]),
        (502, "", [1.25, 2.25, 4.25]),
        (403, "Resource not accessible by integration", [None, None, None]),
        (500, "", [None, None, None]),
    ],
)
def test_a_wait_that_nobody_names_doubles(status, text, waits_s):
    assert [wait_s(status, {}, text, attempt) for attempt in range(3)] == waits_s

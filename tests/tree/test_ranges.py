"""Ranges of addresses: which addresses they hold, and what is no range."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cartwright.kernel.errors import UserError
from cartwright.tree.ranges import Range, ranges_of, read_address, read_range

networks = st.one_of(
    st.builds(
        lambda number, length: ipaddress.ip_network((number, length), strict=False),
        st.integers(0, 2**32 - 1),
        st.integers(0, 32),
    ),
    st.builds(
        lambda number, length: ipaddress.ip_network((number, length), strict=False),
        st.integers(2**120, 2**128 - 1),
        st.integers(0, 128),
    ),
)


@given(st.lists(networks, min_size=1, max_size=3), st.lists(networks, max_size=3), networks)
def test_no_range_holds_what_nothing_may_reach(
    cidrs: list[ipaddress.IPv4Network], never: list[ipaddress.IPv4Network], place: ipaddress.IPv4Network
) -> None:
    found = ranges_of([str(one) for one in cidrs], [str(one) for one in never])
    for one, cidr in zip(found, cidrs, strict=True):
        assert one.network == cidr
        assert all(ipaddress.ip_network(kept).version == cidr.version for kept in one.kept)
        inside = place[0] in cidr
        kept_out = any(
            place[0] in away
            for away in never
            if away.version == cidr.version and away[0] in cidr and away.prefixlen >= cidr.prefixlen
        )
        assert one.holds(str(place[0])) is (inside and not kept_out)


@given(networks)
def test_what_kubernetes_would_print_is_read_as_it_is(network: ipaddress.IPv4Network) -> None:
    assert read_range(str(network)) == str(network)


def test_an_address_is_a_range_of_its_own() -> None:
    assert read_address("169.254.20.10") == "169.254.20.10/32"
    assert read_address("fd00::10") == "fd00::10/128"
    assert not Range(read_address("169.254.20.10")).holds("169.254.20.11")


@pytest.mark.parametrize(
    "text", ["10.0.0.0/33", "10.0.0/8", "::1%eth0/128", "10.0.0.0/", "/8", "", "1.2.3.4/0x8", "a b"]
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(UserError) as caught:
        read_range(text)
    assert caught.value.hint == "such as 10.20.0.0/16 or 2001:db8::/32"


def test_a_range_within_what_nothing_may_reach_is_refused() -> None:
    with pytest.raises(UserError, match=r"^169.254.169.254/32 lies in 169.254.0.0/16, which nothing may reach"):
        read_range("169.254.169.254/32", never=["169.254.0.0/16"])
    assert read_range("169.254.0.0/15", never=["169.254.0.0/16"]) == "169.254.0.0/15"

"""Ranges of addresses in the dependency map: what a policy's ``ipBlock`` takes, IPv4 or IPv6."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cartwright.kernel.errors import UserError

__all__ = ["Network", "Range", "ranges_of", "read_address", "read_range"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_HOST = re.compile(r"(?=.*[g-zG-Z-])[\w.-]+", re.ASCII)
"""What looks like a host name rather than a misspelt address."""
_RANGE = re.compile(r"[0-9a-fA-F.:]+(/[0-9]{1,3})?")
"""Python also takes a netmask behind the slash and a zone in the address; Kubernetes does not."""

_SUCH_AS = "such as 10.20.0.0/16 or 2001:db8::/32"


@dataclass(frozen=True)
class Range:
    """Addresses of one family, less some of them."""

    cidr: str
    """For example ``10.20.0.0/16`` or ``2001:db8::/32``."""
    kept: tuple[str, ...] = ()
    """Ranges within it that do not belong to it."""

    @property
    def network(self) -> Network:
        """The range without its exceptions."""
        return ipaddress.ip_network(self.cidr)

    def holds(self, address: str) -> bool:
        """Whether an address belongs to it."""
        place = ipaddress.ip_address(address)
        return place in self.network and not any(place in ipaddress.ip_network(one) for one in self.kept)


def ranges_of(cidrs: Sequence[str], never: Sequence[str]) -> tuple[Range, ...]:
    """The ranges, each less those of ``never`` that lie in it. An ``ipBlock`` may except nothing else."""
    return tuple(Range(cidr, tuple(one for one in never if _is_within(one, cidr))) for cidr in cidrs)


def read_range(text: str, *, never: Sequence[str] = ()) -> str:
    """The range that a text states.

    Args:
        text: such as ``10.20.0.0/16``.
        never: ranges that nothing may reach.

    Raises:
        UserError: a host name, no range, or one that lies in a range of ``never``. It names no place.
    """
    if _HOST.fullmatch(text):
        raise UserError(
            f"'{text}' is a host name, and a NetworkPolicy holds addresses only",
            hint="name it under 'hosts', and under 'cidrs' the ranges that it resolves to",
        )
    if not _RANGE.fullmatch(text):
        raise UserError(f"'{text}' is not a range of addresses", hint=_SUCH_AS)
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        hint = f"write {ipaddress.ip_network(text, strict=False)}" if "host bits" in str(error) else _SUCH_AS
        raise UserError(str(error), hint=hint) from error
    if "/" not in text:
        raise UserError(f"'{text}' is one address, not a range", hint=f"write {network}")
    inside = next((one for one in never if _is_within(text, one)), None)
    if inside is not None:
        raise UserError(f"{text} lies in {inside}, which nothing may reach", hint="see outside.except")
    return text


def read_address(text: str) -> str:
    """The one address that a text states, as a range of its own: ``169.254.20.10`` is ``169.254.20.10/32``.

    Raises:
        UserError: it is no address. It names no place.
    """
    try:
        return str(ipaddress.ip_network(ipaddress.ip_address(text)))
    except ValueError as error:
        raise UserError(f"'{text}' is not an address", hint="such as 169.254.20.10 or fd00::10") from error


def _is_within(inner: str, outer: str) -> bool:
    here, there = ipaddress.ip_network(inner), ipaddress.ip_network(outer)
    if isinstance(here, ipaddress.IPv4Network) and isinstance(there, ipaddress.IPv4Network):
        return here.subnet_of(there)
    if isinstance(here, ipaddress.IPv6Network) and isinstance(there, ipaddress.IPv6Network):
        return here.subnet_of(there)
    return False

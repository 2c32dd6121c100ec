"""kube-router, which enforces NetworkPolicies: whether the kernel has what it needs, and what it leaves there.

It writes rules with iptables and sets of addresses with ipset, beside kube-proxy's own nftables table. They stay when
it ends, so that a restart of it opens nothing; `clear` takes them back.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network
from pathlib import Path

from cartwright.cluster.node.layout import NAME
from cartwright.kernel.errors import ToolError
from cartwright.kernel.run import run

__all__ = ["TABLE", "clear", "command", "refusal", "tables"]

TABLE = "table ip filter"
"""The table of iptables in which it writes; nftables names it so."""

_OURS = re.compile(r"KUBE-(?:ROUTER|NWPLCY|POD-FW)\b|kube-router netpol")
"""In every line of iptables-save that is about one of its chains or rules."""
_SETS = ("KUBE-SRC-", "KUBE-DST-", "TMP-")
"""How the names of its sets begin."""
_PROBE = """\
set -e
ipset create probe hash:ip timeout 0
ipset create probe-net hash:net timeout 0
iptables -w -N PROBE
iptables -w -A PROBE -m comment --comment probe -m set --match-set probe src -m set --match-set probe-net dst \
  -p tcp -m tcp --dport 1 -j MARK --set-xmark 0x10000/0x10000
iptables -w -A PROBE -m addrtype --src-type LOCAL -m physdev --physdev-is-bridged -j ACCEPT
iptables -w -A PROBE -m conntrack --ctstate RELATED,ESTABLISHED -m mark ! --mark 0x10000/0x10000 -j RETURN
iptables -w -A PROBE -m multiport -p tcp --dports 1:2 -m limit --limit 10/minute -j NFLOG --nflog-group 100
iptables -w -A PROBE -j REJECT
"""
"""What its rules are made of, in a network namespace of its own."""


def refusal() -> str:
    """What the kernel lacks for it; empty where nothing."""
    try:
        run(["unshare", "--net", "sh", "-c", _PROBE], timeout=20)
    except ToolError as error:
        return str(error).splitlines()[-1]
    return ""


def command(program: Path, *, kubeconfig: Path, services: IPv4Network) -> tuple[str, ...]:
    """Its command line: the firewall alone, without routes, Services or a network of its own.

    Args:
        program: kube-router.
        kubeconfig: as whom it reads pods, namespaces and policies.
        services: addresses of Services.
    """
    return (
        str(program),
        f"--kubeconfig={kubeconfig}",
        f"--hostname-override={NAME}",
        "--run-firewall=true",
        "--run-router=false",
        "--run-service-proxy=false",
        "--enable-cni=false",
        f"--service-cluster-ip-range={services}",
        # It would listen on every address of the machine.
        "--health-port=0",
        "--metrics-port=0",
        "--iptables-sync-period=1m",
    )


def tables() -> list[str]:
    """nftables' tables, as ``table FAMILY NAME``."""
    return run(["nft", "list", "tables"]).stdout.splitlines()


def clear(*, before: list[str]) -> list[str]:
    """Take back its rules and sets, and the table that was made for them; returns what could not be.

    Args:
        before: the tables that were there before the node came.
    """
    if TABLE not in tables():
        return []
    try:
        rest = [line for line in run(["iptables-save", "-t", "filter"]).stdout.splitlines() if not _OURS.search(line)]
        run(["iptables-restore", "--wait"], stdin="\n".join(rest) + "\n")
        # A set can go once no rule names it. The table comes last: as long as it is there, there is something to do.
        for name in run(["ipset", "list", "-name"]).stdout.split():
            if name.startswith(_SETS):
                run(["ipset", "destroy", name])
        if TABLE not in before and not any(line.startswith("-A") for line in rest):
            run(["nft", "delete", *TABLE.split()])
    except ToolError as error:
        return [str(error)]
    return []

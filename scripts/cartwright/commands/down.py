"""``cartwright down``: stop the embedded cluster and remove its data."""

from __future__ import annotations

from typing import Annotated

import typer

from cartwright.cluster.down import down as bring_down
from cartwright.cluster.state import Layout
from cartwright.kernel.output import stderr, stdout
from cartwright.kernel.paths import state_dir
from cartwright.tree.repository import find_root


def down(
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Keep etcd's data, certificates and the bare remote for the next `up`.")
    ] = False,
) -> None:
    """Stop the embedded cluster and remove its data.

    Stops every process that `up` started, and only those, even if the supervisor itself was killed.

    Examples: `cartwright down`, `cartwright down --keep-data`.
    """
    layout = Layout(state_dir(find_root()).resolve())
    for line in bring_down(layout, keep_data=keep_data):
        stderr().print(line, markup=False, soft_wrap=True)
    stdout().print("stopped; data kept" if keep_data else "stopped; data removed")

"""``cartwright open``: where the embedded cluster can be reached."""

from __future__ import annotations

import json
from dataclasses import asdict

from cartwright.cluster.addresses import pages
from cartwright.cluster.state import Layout, State
from cartwright.kernel.output import stdout, write
from cartwright.kernel.paths import state_dir
from cartwright.options.formats import TEXT, Format
from cartwright.tree.repository import find_root


def open(
    output: Format = TEXT,
) -> None:
    """Print the address of everything that has a page, and what to see there.

    Argo CD has no page here: its controllers run, its web server does not. `cartwright status` shows its state.

    Examples: `cartwright open`, `curl "$(cartwright open --format json | jq -r '.pages[0].url')"`.

    Exit codes: 0 fine, 2 the cluster does not run.
    """
    layout = Layout(state_dir(find_root()).resolve())
    state = State.of_running(layout)
    found = pages(layout, state)
    if output == "json":
        write(json.dumps({"version": 1, "pages": [asdict(page) for page in found]}, indent=2))
        return
    from rich.table import Table

    table = Table("what", "address", "credentials", box=None)
    for page in found:
        table.add_row(page.name, page.url, page.credentials, style=None)
    stdout().print(table)
    if not state.real:
        write("The shop has no address: every pod is simulated.")

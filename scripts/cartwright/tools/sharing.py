"""Tools that were built once, for a team: brought to a registry, and taken from it.

Apart from ``cartwright.tools``, so that those who only ask where a tool is don't wait for a registry's client to load.
"""

from cartwright.tools._parts import Part, asset_parts, binary_parts, tools_reference
from cartwright.tools._pull import pull
from cartwright.tools._push import push

__all__ = ["Part", "asset_parts", "binary_parts", "pull", "push", "tools_reference"]

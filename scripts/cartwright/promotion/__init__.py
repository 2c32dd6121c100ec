"""Moving a version from one environment to the next: all state is Git, each edit touches only the scalars it means."""

from cartwright.promotion.commit import Blocked, promote
from cartwright.promotion.plan import Change, Plan, make_plan
from cartwright.promotion.release import Pin, Release

__all__ = ["Blocked", "Change", "Pin", "Plan", "Release", "make_plan", "promote"]

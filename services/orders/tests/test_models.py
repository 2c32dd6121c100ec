from hypothesis import given
from hypothesis import strategies as st

from orders.models import OrderStatus


@given(st.lists(st.sampled_from(OrderStatus), max_size=10))
def test_whatever_is_asked_a_cancelled_or_shipped_order_stays_so(wishes: list[OrderStatus]) -> None:
    state = OrderStatus.PLACED
    history = [state]
    for wish in wishes:
        if wish in state.successors:
            state = wish
            history.append(state)
    assert len(history) == len(set(history)), "an order never gets back into a state"
    for final in (OrderStatus.SHIPPED, OrderStatus.CANCELLED):
        if final in history:
            assert history[-1] == final


def test_every_state_can_be_reached() -> None:
    reached = {OrderStatus.PLACED}
    while more := {after for state in reached for after in state.successors} - reached:
        reached |= more
    assert reached == set(OrderStatus)

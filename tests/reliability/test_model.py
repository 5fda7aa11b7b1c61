"""A short run of the model; `python -m reliability.model` makes a long one."""

import pytest
from hypothesis.stateful import run_state_machine_as_test

from reliability.model import Machine, run_settings
from support.sampling import sample


@pytest.mark.parametrize("examples", sample([10, 40], every=2))
def test_no_order_of_events_costs_money_twice_or_loses_it(examples: int) -> None:
    run_state_machine_as_test(Machine, settings=run_settings(examples))

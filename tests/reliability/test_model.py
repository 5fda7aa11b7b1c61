"""A short run of the model; `python -m reliability.model` makes a long one."""

import os

import pytest
from hypothesis.stateful import run_state_machine_as_test

from reliability.model import Machine, machine_on, run_settings
from support.postgres import VARIABLE as CLUSTER
from support.postgres import needs_postgres
from support.sampling import sample


@pytest.mark.parametrize("examples", sample([10, 40], every=2))
def test_no_order_of_events_costs_money_twice_or_loses_it(examples: int) -> None:
    run_state_machine_as_test(Machine, settings=run_settings(examples))


@needs_postgres
def test_no_order_of_events_on_postgres_costs_money_twice_or_loses_it() -> None:
    with machine_on(os.environ[CLUSTER]) as machine:
        run_state_machine_as_test(machine, settings=run_settings(8))

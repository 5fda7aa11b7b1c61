"""The model at a size for every day; `python -m reliability.model` runs it at length."""

from hypothesis.stateful import run_state_machine_as_test

from reliability.model import Machine, options


def test_no_order_of_events_costs_money_twice_or_loses_it() -> None:
    run_state_machine_as_test(Machine, settings=options(40))

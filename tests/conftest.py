"""For every test: no program that it starts reads the settings file of whoever runs it."""

import os

import pytest


@pytest.fixture(autouse=True, scope="session")
def no_settings_file_of_this_user() -> None:
    """For the programs that inherit this process's environment."""
    os.environ["GEEKAI_SETTINGS_FILE"] = os.devnull

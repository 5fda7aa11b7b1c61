"""Helpers of the tests: a scripted service, virtual time, and a World with a real server."""

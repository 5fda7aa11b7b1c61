"""How fast this server is: each figure against its floor, both measured in one run.

`make bench` measures all of them and writes `docs/benchmarks.md`. No test times anything: what
can be counted (syncs, transactions, bytes, imports) is held by the tests, and times are here.
"""

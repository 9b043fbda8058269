"""SIGTERM of a bench: whatever it started is stopped with it."""

import signal
import subprocess
import sys

import psutil

# What runs is a bench like all others, by the command that runs them; its child has a child of its own.
_BENCH = """
import subprocess, sys, time, types
from tests.bench import __main__ as command, process

def run():
    shell = "trap '' TERM; sleep 600 & echo $! $$; exec 1>&-; wait"
    with subprocess.Popen(["sh", "-c", shell]):
        time.sleep(600)

sys.modules["tests.bench.fake"] = types.SimpleNamespace(run=run)
command.BENCHES = (*command.BENCHES, "fake")
process.STOP_S = 0.1
command.main("fake")
"""


def test_sigterm_stops_what_a_bench_started() -> None:
    """Children that ignore a SIGTERM themselves, and their children, are gone when the bench has ended."""
    with subprocess.Popen([sys.executable, "-c", _BENCH], stdout=subprocess.PIPE, text=True) as bench:
        assert bench.stdout is not None
        started = [psutil.Process(int(pid)) for pid in bench.stdout.readline().split()]
        bench.send_signal(signal.SIGTERM)

        assert 128 + signal.SIGTERM == bench.wait(60)
    _, alive = psutil.wait_procs(started, timeout=30)

    assert 2 == len(started)
    assert [] == alive

"""Who has adopted processes takes them out of the system's table when they have ended."""

import subprocess
import sys

import pytest

PROGRAM = """
import os, subprocess, sys, time
from pathlib import Path
from headrace.engine.process_tree import adopt_orphans, reap_orphans

adopt_orphans()
own = subprocess.Popen([sys.executable, "-c", "import sys; sys.exit(7)"])
subprocess.run(["sh", "-c", "true & true &"], check=True)

def children():
    me = os.getpid()
    return Path(f"/proc/{me}/task/{me}/children").read_text().split()

while children() != [str(own.pid)]:
    reap_orphans(own.pid)
print(own.wait())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="nobody adopts elsewhere")
def test_orphans_that_have_ended() -> None:
    """Only its own child is left, whose end is still to be asked for."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("7\n", "")

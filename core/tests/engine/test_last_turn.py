"""What code gets to do when its run is over."""

import subprocess
import sys

SCRIPT = """
import atexit, os, signal, sys, threading
from concurrent.futures import ThreadPoolExecutor
from headrace.engine.last_turn import last_turn
from headrace.engine.terminated import terminate

signal.signal(signal.SIGTERM, terminate)
may_go = threading.Event()

def linger():
    may_go.wait()
    print("thread")

def fail():
    print("second")
    raise ValueError

atexit.register(print, "first")
atexit.register(fail)
atexit.register(sys.exit, 3)
%s
sys.stdout.flush()
os._exit(0)
"""


def said_by(source: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", SCRIPT % source], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_threads_are_waited_for_and_exit_handlers_called() -> None:
    """As Python does it: threads first, those of a pool that has nothing to do are ended; one handler that fails stops no other."""
    source = """
ThreadPoolExecutor().submit(print, "pool").result()
threading.Thread(target=threading.Event().wait, daemon=True).start()
threading.Thread(target=linger).start()
may_go.set()
last_turn(waits_for_threads=True)
"""
    assert said_by(source) == ["pool", "thread", "second", "first"]


def test_who_is_to_stop_waits_for_no_thread() -> None:
    """Exit handlers have their turn."""
    assert said_by("threading.Thread(target=linger).start()\nlast_turn(waits_for_threads=False)") == ["second", "first"]


def test_a_signal_to_end_ends_the_waiting() -> None:
    """It does so once: exit handlers are not interrupted again."""
    source = """
def end():
    while sys._current_frames()[threading.main_thread().ident].f_code.co_name != "_shutdown":
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    may_go.wait()

atexit.register(os.kill, os.getpid(), signal.SIGTERM)
threading.Thread(target=end).start()
last_turn(waits_for_threads=True)
"""
    assert said_by(source) == ["second", "first"]

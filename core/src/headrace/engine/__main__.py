"""`python -m headrace.engine`: the process that a flow runner starts for a run."""

import sys

from headrace.engine.supervisor import main
from headrace.model.orders import ExitStatus

if __name__ == "__main__":
    sys.exit(ExitStatus(main()).to_tell)

"""`python -m headrace.engine`: the process that a flow runner starts for a run."""

import sys

from headrace.engine.supervisor import main

if __name__ == "__main__":
    sys.exit(main())

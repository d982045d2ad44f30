"""``python -m proxylab``: the command line."""

import sys

from proxylab.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""``python -m recam_core``."""

import sys

from recam_core.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

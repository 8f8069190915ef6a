"""`python -m notifier serve|migrate`."""

import sys

from notifier.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

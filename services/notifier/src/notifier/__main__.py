"""`python -m notifier serve|migrate|wait|dead|doctor|config`."""

import sys

from notifier.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m leadwire`."""

from leadwire.app import main

if __name__ == "__main__":
    main()

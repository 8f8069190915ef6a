"""`python -m runtime.probe URL`: whether a probe answers 2xx. For the health check of an image that has no curl."""

import sys
import urllib.error
import urllib.request

TIMEOUT = 4.0  # seconds


def main(arguments: list[str]) -> int:
    """Ask once; return the exit code."""
    (url,) = arguments
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a container's proxy is not for itself
    try:
        with opener.open(url, timeout=TIMEOUT):
            return 0
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the engine keeps it with the state of the container
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

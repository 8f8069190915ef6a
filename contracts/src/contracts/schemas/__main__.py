"""`python -m contracts.schemas`: write the schemas of the code, unless one would break its consumers."""

import json
import sys
from pathlib import Path

from contracts.schemas import committed, generated
from contracts.schemas.compatibility import incompatibilities


def main() -> int:
    """Write the files beside this one; return the exit code."""
    before, after = committed(), generated()
    problems = [
        f"{name}: {problem}" for name in before for problem in incompatibilities(before[name], after.get(name, {}))
    ]
    if problems:
        print("An incompatible change needs a new name (.v2) and an upcaster:", *problems, sep="\n  ", file=sys.stderr)  # noqa: T201
        return 1
    for name, schema in after.items():
        text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        Path(__file__).with_name(f"{name}.json").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

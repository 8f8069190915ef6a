"""`python -m contracts.asyncapi`: write the document of the code beside this file."""

from pathlib import Path

from contracts.asyncapi import FILE
from contracts.asyncapi.document import generated

if __name__ == "__main__":
    Path(__file__).with_name(FILE).write_text(generated())

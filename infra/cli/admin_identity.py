"""``roundtrip admin identity``: which student an actor is, and a move to another one when that was wrong."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from sqlalchemy import Connection, Row, select

from infra.cli.context import DataDir
from infra.cli.registry import now_us, registry
from ingest.identity import moving
from schemas.registry.tables import students

app = typer.Typer(help="Which student an actor is; what it did moves with it.", no_args_is_help=True)

Identity = Annotated[
    str,
    typer.Argument(
        metavar="IDENTITY",
        help="Its value as actors send it (an e-mail address, an openid, an account as 'homePage name'), or its id.",
    ),
]
Kind = Annotated[str, typer.Option(help="mbox, mbox_sha1sum, openid or account, where the value alone is not clear.")]
Why = Annotated[str, typer.Option("--why", help="The reason, kept in the history.")]
By = Annotated[str, typer.Option("--by", help="Who decided it. [default: the user of this shell]", show_default=False)]


@app.command("show")
def show(
    who: Annotated[
        str, typer.Argument(metavar="IDENTITY|STUDENT", help="An identity's value or id, or a student's id.")
    ],
    kind: Kind = "",
    data_dir: DataDir = None,
) -> None:
    """An identity with its student and history, or all identities of a student."""
    with registry(data_dir) as (_, connection):
        if _is_student_id(who):
            who = who.lower()
            typer.echo(f"student {_student(connection, who)}")
            for identity in moving.of_student(connection, who):
                typer.echo(f"  {_identity(identity)}")
            return
        identity = moving.find(connection, who, kind)
        typer.echo(_identity(identity))
        typer.echo(f"  student {_student(connection, identity.student_id)}")
        for move in moving.history(connection, identity.identity_id):
            at = datetime.fromtimestamp(move.at // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            what = "taken back" if move.takes_back else "linked"
            path = f"from {move.from_student or 'nobody'} to {move.to_student}"
            typer.echo(f"  {at} {what} {path} by {move.decided_by}: {move.reason}")


@app.command("link")
def link(
    identity: Identity,
    student: Annotated[str, typer.Argument(metavar="STUDENT", help="Id of the student that it is.")],
    why: Why,
    by: By = "",
    kind: Kind = "",
    data_dir: DataDir = None,
) -> None:
    """Move an identity to another student: what it does from now on, and all that it did."""
    with registry(data_dir) as (_, connection):
        found = moving.find(connection, identity, kind)
        made = moving.link(connection, found, student.lower(), now_us(), by or getpass.getuser(), why)
    _told(found, made)


@app.command("unlink")
def unlink(identity: Identity, why: Why, by: By = "", kind: Kind = "", data_dir: DataDir = None) -> None:
    """Take the last link back: the identity, and all that it did, returns to the student it came from."""
    with registry(data_dir) as (_, connection):
        found = moving.find(connection, identity, kind)
        made = moving.unlink(connection, found, now_us(), by or getpass.getuser(), why)
    _told(found, made)


def _told(identity: Row[Any], made: moving.Link) -> None:
    typer.echo(f"{identity.value}: from student {made.from_student or 'nobody'} to {made.to_student}")
    typer.echo(f"link {made.link_id}. Workers move what it did within seconds; ingest knows it as soon.")


def _identity(row: Row[Any]) -> str:
    return f"{row.identity_id} {row.kind} {row.value}"


def _student(connection: Connection, student_id: str | None) -> str:
    if student_id is None:
        return "(none: it never acted)"
    own = students.c
    row = connection.execute(
        select(own.given_name, own.family_name, own.grade, own.school_id, own.linked).where(
            own.student_id == student_id
        )
    ).first()
    if row is None:
        raise moving.IdentityFaultError(f"there is no student {student_id}")
    if not row.linked:
        return f"{student_id} (not on the roster)"
    return f"{student_id} {row.given_name or ''} {row.family_name or ''}, grade {row.grade}, school {row.school_id}"


def _is_student_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False

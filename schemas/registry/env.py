"""Alembic's entry: runs the migrations on the connection that it was handed."""

from __future__ import annotations

from alembic import context

from schemas.registry import insight as insight  # what is imported stands in the metadata
from schemas.registry import lrs as lrs
from schemas.registry import tables as tables
from schemas.registry.base import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()

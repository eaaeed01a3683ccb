"""Tables of the registry: what needs transactions. Migrations in versions/ (Alembic)."""

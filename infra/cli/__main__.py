"""``python -m infra.cli``: the command without its script."""

from infra.cli import main

main()

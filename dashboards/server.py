"""The server of the pages."""

from __future__ import annotations

import os
from pathlib import Path

from streamlit.web import cli

from infra.runtime.settings import Settings

_APP = Path(__file__).with_name("app.py")


def serve(settings: Settings) -> int:
    """Run the pages on settings.dashboards.host and port until SIGTERM or SIGINT; the code to exit with."""
    os.environ.update(settings.environment())  # the script builds its own tree, from the environment
    options = {
        "server.address": settings.dashboards.host,
        "server.port": settings.dashboards.port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "minimal",
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    cli.main(["run", str(_APP), *flags], standalone_mode=False)
    return 0

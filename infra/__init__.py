"""What the services run on: settings, clients, the local stack and the command line."""

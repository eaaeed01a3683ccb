"""Documents of the state, agent profile and activity profile resources, in the registry, with compare-and-set."""

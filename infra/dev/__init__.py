"""The local stack: broker, ClickHouse front, supervisor, sample district, simulated providers."""

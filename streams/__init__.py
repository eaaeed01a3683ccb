"""The worker: envelopes of the statements topic become rows, skill states and warnings in ClickHouse."""

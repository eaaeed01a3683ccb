"""The door: an xAPI learning record store over HTTP that publishes what it accepts to Kafka."""

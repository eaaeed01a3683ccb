"""Apache Kafka itself, as one process on this machine: KRaft mode, broker and controller in one node."""

from __future__ import annotations

import base64
import socket
import struct
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

from infra.dev.errors import LocalStackError
from infra.dev.jars import class_path
from infra.dev.java import Java, find_java
from infra.dev.ports import any_free
from infra.dev.server import Server

HOST = "127.0.0.1"

# The first compiler only, and the serial collector. Measured on 2 cores with Kafka 4.1.1, with and without the second
# compiler: start to first answer 1.6 to 2.0 s and 2.4 to 4.0 s, processor seconds for it 2.1 to 2.6 and 4.1 to 4.8,
# acks=all sends of 20 kB at 110 to 260 and 150 to 170 MB/s: it costs twice the processor time and gains nothing here.
JVM_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError")

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
log.dirs={log_dir}
auto.create.topics.enable=false
# One node: nothing can be replicated.
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# Few internal partitions: a fast start and few files.
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=1
# A killed broker comes back only when its old session is over; the default is 9 s.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# A lone worker gets its partitions at once, and may ask for a short session.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# Retention by topic; checked often enough that a local disk does not fill.
log.segment.bytes=134217728
log.retention.check.interval.ms=60000
# Two cores and 512 MB of heap: the cleaner's default buffer alone would take a quarter of it.
num.network.threads=2
num.io.threads=4
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=16777216
"""

LOGGING = """\
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{yyyy-MM-dd HH:mm:ss.SSS} %-5p %m (%c{1})%n
rootLogger.level=WARN
rootLogger.appenderRef.out.ref=out
logger.kafka.name=kafka.server.KafkaRaftServer
logger.kafka.level=INFO
"""


class Broker(Server):
    """A broker with its state in ``data_dir``; start() goes on where the last one ended, kill -9 or not.

    Ports are chosen at construction and kept over restarts. It listens on the loopback address only.
    """

    name = "the broker"
    start_seconds = 90.0
    grace_seconds = 20.0

    def __init__(self, data_dir: Path, port: int | None = None, *, log: Path | None = None) -> None:
        super().__init__()
        self.data_dir = data_dir.absolute()
        self.port = port or any_free(HOST)
        self.log_path = log or self.data_dir / "broker.log"
        self._controller_port = any_free(HOST)
        self._java: Java | None = None
        self._class_path = ""

    @property
    def bootstrap_servers(self) -> str:
        """``host:port``, as clients want it."""
        return f"{HOST}:{self.port}"

    def prepare(self, say: Callable[[str], None] = lambda line: None) -> list[str]:
        """Fetch what is missing, write the configuration, format new storage; the command line that runs the broker.

        Raises LocalStackError without Java 17 or newer, or when a jar is not the one in the lock.
        """
        self._java = self._java or find_java()
        self._class_path = self._class_path or ":".join(str(path) for path in class_path(say=say))
        self.data_dir.mkdir(parents=True, exist_ok=True)
        storage = self.data_dir / "storage"
        properties = self.data_dir / "server.properties"
        properties.write_text(
            PROPERTIES.format(host=HOST, port=self.port, controller_port=self._controller_port, log_dir=storage)
        )
        logging = self.data_dir / "log4j2.properties"
        logging.write_text(LOGGING)
        java = [
            str(self._java.path),
            *JVM_OPTIONS,
            f"-Dlog4j2.configurationFile={logging}",
            "-cp",
            self._class_path,
        ]
        if not (storage / "meta.properties").exists():
            self._format(java, properties)
        return [*java, "kafka.Kafka", str(properties)]

    def command(self) -> list[str]:
        """See prepare()."""
        return self.prepare()

    def answers(self) -> bool:
        """Whether it answers a metadata request and counts itself as a live broker."""
        return metadata_brokers(HOST, self.port) > 0

    def _format(self, java: list[str], properties: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if cluster.startswith("-"):  # the tool would take it for an option
            cluster = f"A{cluster[1:]}"
        done = subprocess.run(
            [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise LocalStackError(
                f"Kafka's storage could not be prepared in {self.data_dir}:\n{done.stdout}{done.stderr}"
            )


def metadata_brokers(host: str, port: int, timeout_seconds: float = 1.0) -> int:
    """How many live brokers a broker names in a Metadata answer (version 5, no topics); 0 when it does not answer."""
    header = struct.pack(">hhih", 3, 5, 1, -1)  # api key, version, correlation id, no client id
    request = header + struct.pack(">iB", 0, 0)  # no topics, none to be created
    try:
        with socket.create_connection((host, port), timeout_seconds) as connection:
            connection.settimeout(timeout_seconds)
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = _read(connection, struct.unpack(">i", _read(connection, 4))[0])
    except (OSError, EOFError):
        return 0
    count: int = struct.unpack_from(">iii", answer)[2]  # correlation id, throttle time, length of the brokers array
    return count


def _read(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = connection.recv(size - len(found))
        if not part:
            raise EOFError
        found += part
    return found

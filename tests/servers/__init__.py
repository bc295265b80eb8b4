"""Real servers for tests: each a process of its own, on a free port or on a unix socket.

    with memcached() as server, redis(password="secret", tls=certificates(folder)) as other:
        server.url, server.address, other.flush()

One context manager per kind of server. A server is ready when it is the started process that
answers, and it is ended whatever happens. A program that is not installed is an error, never a
reason to skip: a test that was skipped has shown nothing.

A server that was killed is started again on its port, while the first one's block is still open:

    with redis() as server:
        kill(server)
        with redis(port=server.port) as again:
            ...

A new kind is a frozen dataclass with `process` and `is_ready()`, and a context manager around
`running`.
"""

from tests.servers.certificates import Certificates, certificates
from tests.servers.connect import Address, connection
from tests.servers.memcached_server import Memcached, memcached
from tests.servers.nutcracker_server import Nutcracker, nutcracker
from tests.servers.process import ProgramMissing, ServerFailed
from tests.servers.redis_server import Redis, redis
from tests.servers.signals import frozen, kill

__all__ = [
    "Address",
    "Certificates",
    "Memcached",
    "Nutcracker",
    "ProgramMissing",
    "Redis",
    "ServerFailed",
    "certificates",
    "connection",
    "frozen",
    "kill",
    "memcached",
    "nutcracker",
    "redis",
]

"""A process without a network: each attempt to reach one is written down, and fails as without a network.

python blocked_network.py script.py attempts.txt
"""

import os
import runpy
import socket
import sys

# What Python reports before a connection, a datagram or a lookup of a name, whichever library asks for it.
EVENTS = (
    "socket.connect",
    "socket.sendto",
    "socket.sendmsg",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.gethostbyaddr",
)


def block_network(attempts: str) -> None:
    """Refuse IPv4, IPv6 and lookups of names in this process and those that it forks.

    Args:
        attempts: The file to which each attempt is appended.
    """
    file = os.open(attempts, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        if event not in EVENTS:
            return
        first = arguments[0]
        if isinstance(first, socket.socket) and first.family not in (socket.AF_INET, socket.AF_INET6):
            return
        os.write(file, f"{event} {arguments[1:] if isinstance(first, socket.socket) else arguments}\n".encode())
        raise OSError(f"The network is blocked in this test: {event}")

    sys.addaudithook(refuse)


if __name__ == "__main__":
    block_network(sys.argv[2])
    runpy.run_path(sys.argv[1], run_name="__main__")

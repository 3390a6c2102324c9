"""Where a server can listen."""

import socket
from typing import TypeAlias

from imavatar.errors import ImavatarError

PORTS = 65535

Place: TypeAlias = tuple[socket.AddressFamily, tuple]


def places(host: str, port: int) -> list[Place]:
    """What a host stands for: families and addresses to be bound, as asyncio finds them.

    Raises:
        ImavatarError: there is no such host.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no name of a host"
        raise ImavatarError(f"{host} cannot be listened at ({reason}); choose another --host") from error
    return sorted({(family, address) for family, _, _, _, address in found})


def check_free(host: str, port: int) -> None:
    """See that a port is free: viser would silently take another one.

    Raises:
        ImavatarError: it is taken, or there is no such host or port.
    """
    if not 0 < port <= PORTS:
        raise ImavatarError(f"port {port}: expected 1 to {PORTS}")
    for family, address in places(host, port):
        try:
            probe = socket.socket(family)
        except OSError:
            # asyncio too passes over families that the machine does not have.
            continue
        with probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind(address)
            except OSError as error:
                raise ImavatarError(
                    f"{host}:{port} cannot be listened at ({error.strerror}); choose another --port or --host"
                ) from error

"""Who may talk to the viewer: browsers that know its token, under its own names, from its own page.

The token is asked for on every interface, the loopback too: all users and programs of a machine reach its loopback,
and what is shown is a person's face. It is the first part of the path, http://HOST:PORT/TOKEN/, because viser's page
opens its websocket at its own address without the query. No cookie holds it: cookies do not know ports, so browsers
would show it to whatever else listens on the same host, and send it along with requests that other pages cause.

Host and Origin are looked at besides. A page that has made its own name point at this machine (DNS rebinding) says that
name in Host, and a page of another site says where it is from in Origin; neither is let in even with the token.
A request without Origin is not a page's script: a browser that opens an address, or another program with the token.
"""

import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Sequence

from imavatar.viewer.listening import places

LOOPBACK = "127.0.0.1"
TOKEN_BYTES = 32
HTTP_PORT = 80
"""Left out in addresses, Host and Origin."""
HOST_HEADER = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")


class Access:
    """Decides about requests to one server.

    Args:
        host: the interface that it listens at; "0.0.0.0", "::" or "": all.
        port: where.

    Raises:
        ImavatarError: there is no such host.
    """

    def __init__(self, host: str, port: int):
        self.host, self.port = host, port
        self._token = secrets.token_urlsafe(TOKEN_BYTES)
        found = [ipaddress.ip_address(address[0].partition("%")[0]) for _, address in places(host, port)]
        self._everywhere = any(address.is_unspecified for address in found)
        self._names = {"localhost", LOOPBACK, "[::1]"}
        if not self._everywhere:
            self._names.add(_in_address(host).lower())
        if not all(address.is_loopback for address in found):
            name = socket.gethostname().lower()
            self._names |= {name, f"{name}.local"}

    def addresses(self) -> list[str]:
        """Where browsers find the page, token included: on this machine, and from others where these are let in."""
        if self._everywhere:
            names = ["[::1]" if self.host == "::" else LOOPBACK, socket.gethostname()]
        else:
            names = [_in_address(self.host)]
        port = "" if self.port == HTTP_PORT else f":{self.port}"
        return [f"http://{name}{port}/{self._token}/" for name in names]

    def refusal(self, path: str, hosts: Sequence[str], origins: Sequence[str]) -> str | None:
        """Why a request gets nothing; None where it is let in.

        Args:
            path: with query.
            hosts: what its headers `Host` say.
            origins: what its headers `Origin` say, if there are any.
        """
        if len(hosts) != 1 or not self._is_served(hosts[0].lower()):
            return "The viewer is not served under this name and port; a tunnel has to keep the port."
        if any(origin.lower() != f"http://{hosts[0].lower()}" for origin in origins):
            return "The viewer answers to its own page only."
        if self.inside(path) is None:
            return "Open the address that view.py printed, with its token."
        return None

    def inside(self, path: str) -> str | None:
        """A path (with query) behind the token; None where the token is missing or another one."""
        place, mark, query = path.partition("?")
        root, _, rest = place.removeprefix("/").partition("/")
        if not hmac.compare_digest(root.encode(errors="surrogateescape"), self._token.encode()):
            return None
        return f"/{rest}{mark}{query}"

    def _is_served(self, host: str) -> bool:
        found = HOST_HEADER.fullmatch(host)
        if found is None or int(found[2] or HTTP_PORT) != self.port:
            return False
        # No name points at an address that is spelled out, so those cannot be rebound; which of them lead here is not
        # known where all interfaces are listened at, perhaps from inside a container.
        return found[1] in self._names or (self._everywhere and _is_address(found[1]))


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True

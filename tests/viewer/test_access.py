"""Who is let in, by path, Host and Origin."""

import ipaddress
import re
import socket
from urllib.parse import urlsplit

import pytest

from imavatar.errors import ImavatarError
from imavatar.viewer.access import Access

PORT = 8080


def path_of(access: Access) -> str:
    return urlsplit(access.addresses()[0]).path


def test_the_address_holds_a_token_that_is_another_for_every_server():
    paths = {path_of(Access("127.0.0.1", PORT)) for _ in range(5)}
    assert len(paths) == 5
    # 32 random bytes in base64.
    assert all(len(path.strip("/")) == 43 for path in paths)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_the_token_is_asked_for_on_every_interface(host):
    access = Access(host, PORT)
    token = path_of(access).strip("/")
    for path in (
        "/",
        "/index.html",
        "/?token=" + token,
        f"/{token[:-1]}/",
        f"/{token}x/",
        "//" + token,
        "",
        "/\udcff/",
    ):
        assert "address that view.py printed" in access.refusal(path, [f"localhost:{PORT}"], []), path
    for path in (f"/{token}", f"/{token}/", f"/{token}/index.html?a=b", f"/{token}?websocket=x"):
        assert access.refusal(path, [f"localhost:{PORT}"], []) is None, path


def test_what_is_behind_the_token_keeps_its_path_and_query():
    access = Access("127.0.0.1", PORT)
    root = path_of(access).rstrip("/")
    assert access.inside(f"{root}/a/b?c=/d") == "/a/b?c=/d"
    assert access.inside(f"{root}?c") == "/?c"
    assert access.inside(root) == "/"


def refused(access: Access, hosts: list[str], origins: list[str]) -> bool:
    return access.refusal(path_of(access), hosts, origins) is not None


@pytest.mark.parametrize("host", ["localhost:8080", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080"])
def test_names_of_the_loopback_are_served_with_their_own_origin_or_none(host):
    access = Access("127.0.0.1", PORT)
    assert not refused(access, [host], [])
    assert not refused(access, [host], [f"http://{host.lower()}"])


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [""],
        ["evil.example:8080"],
        ["localhost"],
        ["localhost:8081"],
        ["localhost.evil.example:8080"],
        ["evil@localhost:8080"],
        ["localhost:8080", "localhost:8080"],
        ["192.168.1.7:8080"],
        ["localhost:99999999"],
    ],
)
def test_other_names_and_ports_are_not(hosts):
    assert refused(Access("127.0.0.1", PORT), hosts, [])
    assert refused(Access("127.0.0.1", PORT), hosts, [f"http://{host}" for host in hosts[:1]])


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://evil.example:8080",
        "http://localhost",
        "http://localhost:8081",
        "https://localhost:8080",
        "http://127.0.0.1:8080",
        "null",
        "",
    ],
)
def test_other_origins_are_not(origin):
    access = Access("127.0.0.1", PORT)
    assert refused(access, ["localhost:8080"], [origin])
    assert refused(access, ["localhost:8080"], ["http://localhost:8080", origin])


def test_all_interfaces_are_served_under_the_machines_name_and_any_address():
    access = Access("0.0.0.0", PORT)
    name = socket.gethostname()
    for host in ("localhost", name, f"{name}.local", "192.168.1.7", "[fe80::1]"):
        assert not refused(access, [f"{host}:8080"], []), host
    for host in ("evil.example", f"{name}.evil.example", "0x7f000001.evil.example"):
        assert refused(access, [f"{host}:8080"], []), host
    here, there = access.addresses()
    assert here.startswith("http://127.0.0.1:8080/") and there.startswith(f"http://{name}:8080/")
    assert path_of(access) == urlsplit(there).path


def test_the_given_host_is_served(monkeypatch):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.168.1.7", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_settings: found)
    access = Access("Box.lan", 80)
    assert access.addresses()[0].startswith("http://Box.lan/")
    for host in ("box.lan", "box.lan:80", "localhost", socket.gethostname()):
        assert not refused(access, [host], [f"http://{host}"])
    assert refused(access, ["192.168.1.8"], [])


@pytest.mark.parametrize(("host", "name"), [("::1", "[::1]"), ("::", "[::1]")])
def test_addresses_of_version_six_are_written_in_brackets(host, name, monkeypatch):
    address = str(ipaddress.ip_address(host))
    found = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, PORT, 0, 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_settings: found)
    assert Access(host, PORT).addresses()[0].startswith(f"http://{name}:8080/")


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a..b"])
def test_a_host_that_does_not_exist_is_named(host):
    with pytest.raises(ImavatarError, match=rf"{re.escape(host)} cannot be listened at.*--host"):
        Access(host, PORT)

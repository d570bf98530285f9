from __future__ import annotations

import os
import ssl
from pathlib import Path
from wsgiref.types import StartResponse

import pytest

from reconciler.api.address import checked, is_loopback
from reconciler.api.errors import UnreachableError
from reconciler.api.transport import https_transport, wsgi_transport
from reconciler.errors import ReconcilerError

from .server import Server, answers, free_port
from .stage import CREATE, ONE_ATTEMPT, SECRET, writer


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.mistral.ai",
        "https://api.mistral.ai/",
        "https://gateway.example:8443/mistral",
        "http://localhost",
        "http://127.0.0.1:8000",
        "http://127.9.9.9",
        "http://[::1]:8000/",
        " https://api.mistral.ai\n",
    ],
)
def test_https_and_this_machine_are_fine(url: str) -> None:
    assert checked(url).host


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://api.mistral.ai", "plain HTTP"),
        ("http://10.0.0.1", "plain HTTP"),
        ("http://localhost.evil.example", "plain HTTP"),
        ("http://127.0.0.1.evil.example", "plain HTTP"),
        ("http://2130706433", "plain HTTP"),
        ("http://0.0.0.0:80", "plain HTTP"),
        ("https://user:hunter2@api.mistral.ai", "credentials"),
        ("https://@api.mistral.ai", "credentials"),
        ("http://127.0.0.1@evil.example", "credentials"),
        ("https://api.mistral.ai?key=hunter2", "query"),
        ("https://api.mistral.ai?", "query"),
        ("https://api.mistral.ai#hunter2", "fragment"),
        ("https://api.mistral.ai/v1", "/v1"),
        ("https://api.mistral.ai/v1/", "/v1"),
        ("ftp://api.mistral.ai", "not an HTTPS address"),
        ("api.mistral.ai", "not an HTTPS address"),
        ("https://", "not an HTTPS address"),
        ("", "not an HTTPS address"),
        ("https://api.mistral.ai:port", "not a URL"),
        ("https://api\x00.mistral.ai", "not a URL"),
        ("https://[::1", "not a URL"),
    ],
)
def test_any_other_address_is_refused_with_a_next_step(url: str, why: str) -> None:
    with pytest.raises(ReconcilerError, match=why) as caught:
        checked(url)
    assert caught.value.hint
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


def test_a_client_is_not_even_made_for_a_refused_address() -> None:
    with pytest.raises(ReconcilerError, match="plain HTTP"):
        writer(lambda _: pytest.fail("sent"), base_url="http://api.example")
    with pytest.raises(ReconcilerError, match="plain HTTP"):
        https_transport("http://api.example")


@pytest.mark.parametrize("host", ["127.1", "0x7f.0.0.1", "localhost.", "LOCALHOST.evil", "::ffff:8.8.8.8"])
def test_loopback_is_only_what_is_plainly_so(host: str) -> None:
    assert not is_loopback(host)


def test_a_proxy_is_asked_for_a_tunnel_and_sees_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(answers("407 Proxy Authentication Required", b"")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{proxy.port}")
        base_url = "https://api.example"
        with (
            writer(https_transport(base_url), base_url=base_url, policy=ONE_ATTEMPT) as client,
            pytest.raises(UnreachableError, match="in HTTPS_PROXY refuses the connection: 407") as caught,
        ):
            client.get_job("a")
    assert "HTTPS_PROXY" in caught.value.hint
    assert proxy.heads[0].startswith(b"CONNECT api.example:443 HTTP/1.1")
    assert SECRET.encode() not in b"".join(proxy.heads)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    ("proxy", "reported"),
    [
        (
            "http://user:hunter2@127.0.0.1:{port}",
            "the proxy 127.0.0.1:{port} in {variable} cannot be reached",
        ),
        (
            "nowhere.invalid:3128",
            "the proxy nowhere.invalid:3128 in {variable} cannot be reached: the host name",
        ),
    ],
)
def test_a_proxy_that_cannot_be_reached_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str, reported: str
) -> None:
    facts: dict[str, object] = {"variable": variable, "port": free_port()}
    monkeypatch.setenv(variable, proxy.format(**facts))
    base_url = "https://api.example"
    with (
        writer(https_transport(base_url), base_url=base_url, policy=ONE_ATTEMPT) as client,
        pytest.raises(UnreachableError) as caught,
    ):
        client.create_job(CREATE)
    assert reported.format(**facts) in str(caught.value)
    assert variable in caught.value.hint
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


def test_no_proxy_and_this_machine_itself_are_reached_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(answers("404 Not Found", b"")) as proxy, Server(answers("404 Not Found", b"")) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        with (
            writer(https_transport(server.url), base_url=server.url) as client,
            pytest.raises(ReconcilerError),
        ):
            client.get_job("a")
        monkeypatch.setenv("NO_PROXY", "nowhere.invalid")
        with (
            writer(
                https_transport("https://nowhere.invalid"),
                base_url="https://nowhere.invalid",
                policy=ONE_ATTEMPT,
            ) as client,
            pytest.raises(UnreachableError, match=": the host name cannot be resolved"),
        ):
            client.get_job("a")
    assert (len(proxy.heads), len(server.heads)) == (0, 1)


@pytest.mark.parametrize("proxy", ["gopher://user:hunter2@proxy", "socks5://user:hunter2@proxy:1080"])
def test_a_proxy_that_cannot_be_used_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(ReconcilerError, match="proxy") as caught:
        https_transport("https://api.example")
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


def test_certificates_are_taken_from_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[object, object]] = []

    def remember(*, cafile: object = None, capath: object = None) -> ssl.SSLContext:
        asked.append((cafile, capath))
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    monkeypatch.setattr(ssl, "create_default_context", remember)
    monkeypatch.setenv("SSL_CERT_FILE", "company.pem")
    https_transport("https://api.example").close()
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    https_transport("https://api.example").close()
    assert asked == [("company.pem", None), (None, str(tmp_path))]


def test_a_system_folder_without_certificates_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[object, object]] = []

    def remember(*, cafile: object = None, capath: object = None) -> ssl.SSLContext:
        asked.append((cafile, capath))
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    paths = ssl.get_default_verify_paths()
    monkeypatch.setattr(ssl, "create_default_context", remember)
    for folder in (None, str(tmp_path / "absent"), str(tmp_path)):
        monkeypatch.setattr(
            ssl, "get_default_verify_paths", lambda folder=folder: paths._replace(capath=folder)
        )
        https_transport("https://api.example").close()
    (tmp_path / "a1b2c3d4.0").touch()
    https_transport("https://api.example").close()
    *without, third = asked
    assert [str(file).endswith("cacert.pem") for file, _ in without] == [True, True, True]
    assert third == (None, str(tmp_path))


def test_unreadable_certificates_are_reported_with_a_next_step(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    with pytest.raises(ReconcilerError, match="trusted certificates") as caught:
        https_transport("https://api.example")
    assert "SSL_CERT_FILE" in caught.value.hint


def test_an_application_in_this_process_can_be_the_api() -> None:
    seen: dict[str, object] = {}

    def app(environ: dict[str, object], start_response: StartResponse) -> list[bytes]:
        seen.update(environ)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b'{"object":"list",', b'"total":0}']

    with writer(wsgi_transport(app), base_url="http://localhost") as client:
        assert client.list_jobs(page=0).jobs == ()
    assert seen["PATH_INFO"] == "/v1/batch/jobs"
    assert seen["HTTP_AUTHORIZATION"] == f"Bearer {SECRET}"

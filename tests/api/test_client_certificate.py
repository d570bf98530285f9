"""A gateway that asks for a certificate of the client (mTLS)."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

from reconciler.api import webhook
from reconciler.api.client import Writer
from reconciler.api.errors import ApiError
from reconciler.api.transport import https_transport
from reconciler.errors import ReconcilerError

from .stage import ONE_ATTEMPT, job, writer

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs the command openssl")


def certificate(folder: Path, name: str, *options: str) -> tuple[Path, Path]:
    """Make a certificate that signs itself, and its private key."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2"]
    names = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", *new, *names, *(options or ("-nodes",)), "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


@contextmanager
def gateway(cert: Path, key: Path, clients: Path) -> Iterator[str]:
    """Serve one connection over TLS, if the client shows a certificate of `clients`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(clients))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(cert, key)
    body = json.dumps(job()).encode()

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            plain, _ = listener.accept()
            with context.wrap_socket(plain, server_side=True) as connection:
                connection.recv(65536)
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                connection.sendall(head.encode() + body)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.close()
            thread.join(10)


def client_of(url: str) -> AbstractContextManager[Writer]:
    return writer(https_transport(url, client_certificate=True), base_url=url, policy=ONE_ATTEMPT)


@pytest.mark.parametrize("how", ["two files", "one file", "none", "of a stranger"])
def test_the_clients_certificate_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    server, client = certificate(tmp_path, "server"), certificate(tmp_path, "client")
    monkeypatch.setenv("SSL_CERT_FILE", str(server[0]))
    cert, key = certificate(tmp_path, "stranger") if how == "of a stranger" else client
    if how == "one file":
        cert.write_text(cert.read_text() + key.read_text())
    if how != "none":
        monkeypatch.setenv("RECONCILER_CLIENT_CERT", str(cert))
    if how in ("two files", "of a stranger"):
        monkeypatch.setenv("RECONCILER_CLIENT_KEY", str(key))
    with gateway(*server, client[0]) as url, client_of(url) as api:
        if how in ("two files", "one file"):
            assert api.get_job(str(job()["id"])).status == "QUEUED"
        else:
            with pytest.raises(ApiError):
                api.get_job(str(job()["id"]))


def test_a_webhook_is_not_shown_the_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, client = certificate(tmp_path, "server"), certificate(tmp_path, "client")
    monkeypatch.setenv("SSL_CERT_FILE", str(server[0]))
    monkeypatch.setenv("RECONCILER_CLIENT_CERT", str(client[0]))
    monkeypatch.setenv("RECONCILER_CLIENT_KEY", str(client[1]))
    with gateway(*server, client[0]) as url:
        assert webhook.post(url, b"{}", timeout_seconds=5) != ""
    with gateway(*server, client[0]) as url, client_of(url) as api:
        assert api.get_job(str(job()["id"])).status == "QUEUED", "the same gateway lets the certificate in"


@pytest.mark.parametrize("how", ["absent", "no certificate", "a password", "another key", "a key alone"])
def test_a_client_certificate_that_cannot_be_used_is_reported_with_a_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    cert, key = certificate(
        tmp_path, "client", *(("-passout", "pass:hunter2") if how == "a password" else ())
    )
    if how == "another key":
        _, key = certificate(tmp_path, "other")
    if how == "absent":
        cert = tmp_path / "absent.pem"
    if how == "no certificate":
        cert.write_text("hello\n")
    if how != "a key alone":
        monkeypatch.setenv("RECONCILER_CLIENT_CERT", str(cert))
    monkeypatch.setenv("RECONCILER_CLIENT_KEY", str(key))
    with pytest.raises(ReconcilerError, match="RECONCILER_CLIENT_CERT") as caught:
        https_transport("https://api.example", client_certificate=True)
    assert "RECONCILER_CLIENT_CERT" in caught.value.hint

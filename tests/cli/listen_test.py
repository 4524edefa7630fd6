"""Where `paro serve` listens beside plain TCP: on a Unix socket, and with TLS."""
from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import time
from pathlib import Path

import pytest

from program import DEMO, MISUSED, refused, serving

CHAT = {"messages": [{"role": "user", "content": "What is the capital of France?"}], "temperature": 0}


def curl(*arguments: object, code: int = 0) -> str:
    done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", "60", *map(str, arguments)],
                          capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout


# --- Unix sockets ---------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paro.sock"


def test_a_unix_socket_serves_like_a_port(path: Path) -> None:
    with serving("--host", f"unix:{path}") as server:
        assert server.address == f"unix:{path}"
        assert stat.S_ISSOCK(path.stat().st_mode) and stat.S_IMODE(path.stat().st_mode) == 0o660
        answer = json.loads(curl("--unix-socket", path, "http://paro/v1/chat/completions", "--json", json.dumps(CHAT)))
        assert "Paris" in answer["choices"][0]["message"]["content"]
        stream = curl("--unix-socket", path, "http://paro/v1/chat/completions", "--json",
                      json.dumps({**CHAT, "stream": True}))
        assert stream.rstrip().endswith("data: [DONE]")
        server.stop()
    assert not path.exists()


def test_the_mode_of_a_unix_socket_is_as_told(path: Path) -> None:
    with serving("--host", f"unix:{path}", "--socket-mode", "0600"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_socket_that_a_killed_server_left_is_taken_over(path: Path) -> None:
    with serving("--host", f"unix:{path}") as server:
        server.process.kill()
        server.process.wait()
    assert path.exists()
    with serving("--host", f"unix:{path}"):
        assert curl("--unix-socket", path, "http://paro/health") == '{"status":"ok"}'


def test_a_socket_on_which_another_server_listens_is_left_alone(path: Path) -> None:
    with serving("--host", f"unix:{path}"):
        message = refused("serve", DEMO, "--host", f"unix:{path}")
        assert "already in use" in message and str(path) in message
        assert curl("--unix-socket", path, "http://paro/health") == '{"status":"ok"}'


def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("kept")
    assert "no socket" in refused("serve", DEMO, "--host", f"unix:{path}")
    assert path.read_text() == "kept"


def test_a_socket_that_was_replaced_is_not_removed(path: Path) -> None:
    with serving("--host", f"unix:{path}") as server:
        path.unlink()
        path.write_text("of another")
        server.stop()
    assert path.read_text() == "of another"


@pytest.mark.parametrize(("flags", "complaint", "code"), [
    (["--host", "unix:"], "0 bytes", MISUSED), (["--host", "unix:" + "a" * 200], "200 bytes", MISUSED),
    (["--host", "unix:/nowhere/paro.sock"], "No such file", 1),
    (["--host", "unix:x.sock", "--socket-mode", "999"], "octal", MISUSED),
    (["--host", "unix:x.sock", "--socket-mode", "0"], "octal", MISUSED),
])
def test_bad_socket_paths_are_told(flags: list[str], complaint: str, code: int) -> None:
    assert complaint in refused("serve", DEMO, *flags, code=code)


# --- TLS ------------------------------------------------------------------------------------------------------------


def make_certificate(directory: Path, name: str = "server") -> tuple[Path, Path]:
    """A certificate that signs itself, for localhost, and its key."""
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", certificate, "-days", "30", "-subj", f"/CN={name}",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    return certificate, key


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def flags_of(files: tuple[Path, Path]) -> list[object]:
    return ["--tls-cert", files[0], "--tls-key", files[1]]


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate)


def common_name(port: int) -> str:
    """Of the certificate that the server shows."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=60)) as connection:
        shown = ssl.DER_cert_to_PEM_cert(connection.getpeercert(binary_form=True))
    return subprocess.run(["openssl", "x509", "-noout", "-subject"], input=shown, check=True, capture_output=True,
                          text=True).stdout.strip().rpartition("=")[2].strip()


def test_https_serves_like_http(files: tuple[Path, Path]) -> None:
    with serving(*flags_of(files)) as server:
        assert server.address.startswith("https://127.0.0.1:")
        url = f"{server.address}/v1/chat/completions"
        answer = json.loads(curl("--cacert", files[0], url, "--json", json.dumps(CHAT)))
        assert "Paris" in answer["choices"][0]["message"]["content"]
        client = http.client.HTTPSConnection("127.0.0.1", server.port, context=trusting(files[0]), timeout=60)
        for _ in range(3):  # on one connection; each answer ends a watch for the client's leaving
            client.request("POST", "/v1/chat/completions", json.dumps({**CHAT, "stream": True}),
                           {"Content-Type": "application/json"})
            assert client.getresponse().read().decode().rstrip().endswith("data: [DONE]")
            client.request("GET", "/health")
            assert client.getresponse().read() == b'{"status":"ok"}'
        server.stop()


def test_large_bodies_come_through_tls(files: tuple[Path, Path]) -> None:
    with serving(*flags_of(files)) as server:
        client = http.client.HTTPSConnection("127.0.0.1", server.port, context=trusting(files[0]), timeout=60)
        text = "Hello there. " * 20000
        client.request("POST", "/tokenize", json.dumps({"content": text}), {"Content-Type": "application/json"})
        tokens = json.loads(client.getresponse().read())["tokens"]
        client.request("POST", "/detokenize", json.dumps({"tokens": tokens}), {"Content-Type": "application/json"})
        assert json.loads(client.getresponse().read())["content"].strip() == text.strip()


def test_a_client_that_leaves_ends_its_answer_over_tls_too(files: tuple[Path, Path]) -> None:
    with serving(*flags_of(files), "--max-batch", 1) as server:
        context = trusting(files[0])
        for _ in range(3):
            client = context.wrap_socket(socket.create_connection(("127.0.0.1", server.port)),
                                         server_hostname="127.0.0.1")
            body = json.dumps({"prompt": "a", "ignore_eos": True, "stream": True}).encode()
            client.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                           b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert client.recv(64)
            client.close()
        deadline = time.monotonic() + 60
        while 'reason="cancelled"} 3' not in curl("--cacert", files[0], f"{server.address}/metrics"):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_versions_before_1_2_are_refused(files: tuple[Path, Path]) -> None:
    with serving(*flags_of(files)) as server:
        for version, is_taken in (("tls1_1", False), ("tls1_2", True), ("tls1_3", True)):
            done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", f"-{version}", "-cipher",
                                   "DEFAULT@SECLEVEL=0"], input="", capture_output=True, text=True, timeout=60)
            assert (done.returncode == 0) == is_taken, version


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 20])
def test_a_handshake_that_does_not_come_on_times_out(sent: bytes, files: tuple[Path, Path]) -> None:
    with serving(*flags_of(files), "--read-timeout", 0.5, "--max-connections", 1) as server:
        slow = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        slow.sendall(sent)
        assert slow.recv(100) == b""
        deadline = time.monotonic() + 60  # its place is given back
        while common_name_or_none(server.port) is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def common_name_or_none(port: int) -> str | None:
    try:
        return common_name(port)
    except OSError:
        return None


def test_what_is_no_tls_is_hung_up_on(files: tuple[Path, Path]) -> None:
    with serving(*flags_of(files)) as server:
        client = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        try:
            while chunk := client.recv(4096):
                answer += chunk
        except ConnectionResetError:
            pass
        assert b"HTTP" not in answer and common_name(server.port) == "server"


def test_a_renewed_certificate_is_shown_after_a_hangup(tmp_path: Path) -> None:
    files = make_certificate(tmp_path, "first")
    second = make_certificate(tmp_path, "second")
    with serving(*flags_of(files)) as server:
        old = http.client.HTTPSConnection("127.0.0.1", server.port, context=trusting(files[0]), timeout=60)
        old.request("GET", "/health")
        assert old.getresponse().read() and common_name(server.port) == "first"
        files[0].write_text("damaged")
        server.process.send_signal(signal.SIGHUP)
        assert "stays as it is" in server.process.stderr.readline() and common_name(server.port) == "first"
        for source, target in zip(second, files):
            os.replace(source, target)
        server.process.send_signal(signal.SIGHUP)
        assert "read again" in server.process.stderr.readline() and common_name(server.port) == "second"
        old.request("GET", "/health")
        assert old.getresponse().read() == b'{"status":"ok"}'


def test_files_that_cannot_be_a_certificate_are_named(files: tuple[Path, Path], tmp_path: Path) -> None:
    def complaint(certificate: Path, key: Path, code: int = MISUSED) -> str:
        return refused("serve", DEMO, "--port", 0, "--tls-cert", certificate, "--tls-key", key, code=code)

    other = make_certificate(tmp_path, "other")
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    assert "nowhere.pem" in complaint(tmp_path / "nowhere.pem", files[1], code=1)
    assert "nowhere.key" in complaint(files[0], tmp_path / "nowhere.key", code=1)
    assert "no certificate in PEM format" in complaint(text, files[1]) and "text.pem" in complaint(text, files[1])
    assert "no private key in PEM format" in complaint(files[0], text)
    mismatch = complaint(files[0], other[1])
    assert "is not the key of the certificate" in mismatch and "other.key" in mismatch
    locked = tmp_path / "locked.key"
    subprocess.run(["openssl", "ec", "-in", files[1], "-out", locked, "-aes256", "-passout", "pass:secret"], check=True,
                   capture_output=True)
    assert "without a password" in complaint(files[0], locked)
    expired = tmp_path / "expired.pem"
    subprocess.run(["openssl", "x509", "-in", files[0], "-signkey", files[1], "-days", "-1", "-out", expired], check=True,
                   capture_output=True)
    assert "has expired on" in complaint(expired, files[1])
    assert "--tls-key" in refused("serve", DEMO, "--port", 0, "--tls-cert", files[0], code=MISUSED)


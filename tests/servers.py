# SPDX-License-Identifier: MIT
"""Servers on the host's loopback for guests to reach: HTTP, HTTPS with a private CA and with bad
certificates, git over HTTP. QEMU's user network shows the host's loopback as 10.0.2.2."""
import hashlib
import http.server
import os
import ssl
import subprocess
import sys
import threading

HOST = "10.0.2.2"
NAME = "server.test"  # in the good certificate, beside HOST


class _Files(http.server.SimpleHTTPRequestHandler):
    """Files of the server's folder; what is POSTed comes back as its SHA-256."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *args):
        super().__init__(*args, directory=args[2].folder)

    def log_message(self, *args):
        pass

    def do_POST(self):
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        while left:
            data = self.rfile.read(min(left, 1 << 16))
            digest.update(data)
            left -= len(data)
        self._answer(200, [], digest.hexdigest().encode() + b"\n")

    def _answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Git(_Files):
    """git-http-backend for the repositories in the server's folder."""

    def _backend(self):
        path, _, query = self.path.partition("?")
        environment = dict(
            os.environ, GIT_PROJECT_ROOT=str(self.server.folder), GIT_HTTP_EXPORT_ALL="1",
            PATH_INFO=path, QUERY_STRING=query, REQUEST_METHOD=self.command,
            CONTENT_TYPE=self.headers.get("Content-Type", ""),
            HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""),
            GIT_PROTOCOL=self.headers.get("Git-Protocol", ""), REMOTE_ADDR="127.0.0.1")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = subprocess.run(["git", "http-backend"], input=body, env=environment,
                                stdout=subprocess.PIPE, check=True).stdout
        head, _, body = answer.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        status = next((int(v.split()[0]) for n, v in headers if n == "Status"), 200)
        self._answer(status, [h for h in headers if h[0] != "Status"], body)

    do_GET = do_POST = _backend


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder, handler, certificate=None):
        super().__init__(("127.0.0.1", 0), handler)
        self.folder = folder
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # The handshake belongs to the connection's own thread.
            self.socket = context.wrap_socket(self.socket, server_side=True,
                                              do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """A client that has gone is what some tests are about."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    @property
    def port(self):
        return self.server_address[1]


def _openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, stdin=subprocess.DEVNULL,
                   capture_output=True)


class Certificates:
    """A private CA (ca.pem) and certificates with their keys in one file each."""

    def __init__(self, folder):
        self.folder = folder
        _openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
                 "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", "ca.pem")
        (folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=own\n[own]\ndir=.\ndatabase=index\nserial=serial\nnew_certs_dir=.\n"
            "default_md=sha256\npolicy=policy\nunique_subject=no\n[policy]\ncommonName=supplied\n"
            f"[good]\nsubjectAltName=DNS:{NAME},IP:{HOST}\n[other]\nsubjectAltName=DNS:other.test\n")
        (folder / "index").write_text("")
        (folder / "serial").write_text("01\n")

    def signed(self, file, names, start="", end=""):
        """names: good, or other for a name that isn't the server's."""
        times = ["-startdate", start, "-enddate", end] if start else ["-days", "30"]
        _openssl(self.folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x",
                 "-keyout", "new.key", "-out", "new.csr")
        _openssl(self.folder, "ca", "-batch", "-config", "ca.cnf", "-extensions", names, "-cert",
                 "ca.pem", "-keyfile", "ca.key", *times, "-in", "new.csr", "-out", "new.pem")
        return self._with_key(file)

    def self_signed(self, file):
        _openssl(self.folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
                 "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME},IP:{HOST}",
                 "-keyout", "new.key", "-out", "new.pem")
        return self._with_key(file)

    def _with_key(self, file):
        path = self.folder / file
        path.write_text((self.folder / "new.pem").read_text() +
                        (self.folder / "new.key").read_text())
        return path


class Servers:
    """All of them. folder/www is what HTTP and HTTPS show; folder/git holds repositories."""

    def __init__(self, folder):
        self.www, git, keys = folder / "www", folder / "git", folder / "keys"
        for one in (self.www, git, keys):
            one.mkdir()
        self.git_folder = git
        certificates = Certificates(keys)
        (self.www / "ca.pem").write_bytes((keys / "ca.pem").read_bytes())
        self._servers = {
            "http": _Server(self.www, _Files),
            "git": _Server(git, _Git),
            "good": _Server(self.www, _Files, certificates.signed("good.pem", "good")),
            "other": _Server(self.www, _Files, certificates.signed("other.pem", "other")),
            "expired": _Server(self.www, _Files, certificates.signed(
                "expired.pem", "good", "20200101000000Z", "20200201000000Z")),
            "self": _Server(self.www, _Files, certificates.self_signed("self.pem")),
        }

    def url(self, kind, name=HOST):
        scheme = "http" if kind in ("http", "git") else "https"
        return f"{scheme}://{name}:{self._servers[kind].port}"

    def port(self, kind):
        return self._servers[kind].port

    def file(self, name, size):
        """A file of random bytes to be fetched; returns its SHA-256."""
        data = os.urandom(size)
        (self.www / name).write_bytes(data)
        return hashlib.sha256(data).hexdigest()

    def close(self):
        for server in self._servers.values():
            server.shutdown()
            server.server_close()

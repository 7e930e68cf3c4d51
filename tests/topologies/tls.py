"""A server that speaks TLS alone, with a certificate that signs itself."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from tests.needs import require
from tests.servers import RedisServer, free_port


@dataclass
class TlsServer(RedisServer):
    """Its certificate, in the file `certificate`, is for 127.0.0.1 alone."""

    tcp: bool = True

    def __post_init__(self) -> None:
        require("redis-server with TLS")
        super().__post_init__()
        self.certificate, key = self.folder / "certificate.pem", self.folder / "key.pem"
        self.tls_port = free_port()
        subprocess.run(
            [
                *(require("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
                *("-nodes", "-keyout", str(key), "-out", str(self.certificate), "-days", "1"),
                *("-subj", "/CN=flask-queue", "-addext", "subjectAltName=IP:127.0.0.1"),
            ],
            check=True,
            capture_output=True,
        )
        self.options = {
            "port": "0",
            "tls-port": str(self.tls_port),
            "tls-cert-file": str(self.certificate),
            "tls-key-file": str(key),
            "tls-auth-clients": "no",
            **self.options,
        }

    @property
    def url(self) -> str:
        """The address for clients, with the certificate that they are to trust."""
        return f"{self.untrusting_url}?ssl_ca_certs={self.certificate}"

    @property
    def untrusting_url(self) -> str:
        """The address for clients that trust what the machine does."""
        return f"rediss://127.0.0.1:{self.tls_port}/0"

# Certificates for tests, made by openssl: an authority, a server, Alice, and Mallory,
# whom another authority of the same name vouches for.
import ssl
import subprocess
from pathlib import Path

__all__ = ["ALICE", "Pki"]

ALICE = "/C=EE/O=Bank\\, Tallinn/CN=Alice Ä/serialNumber=PNOEE-38001085718"
_EC = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -utf8"


class Pki:
    """
    Keys and certificates.

    Args:
        directory: where they are made.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.ca = self._authority("ca")
        self._authority("false")
        self.pem, self.key = self._signed("shop", "/CN=shop.example", "ca")
        self._signed("alice", ALICE, "ca")
        self._signed("mallory", ALICE, "false")

    def _authority(self, name: str) -> Path:
        pem = self._directory / f"{name}.pem"
        self._openssl("req -x509", name, "/CN=Authority", pem)

        return pem

    def _signed(self, name: str, subject: str, by: str) -> tuple[Path, Path]:
        pem = self._directory / f"{name}.pem"
        authority = self._directory / by
        signing = f"-CA {authority}.pem -CAkey {authority}.key"
        self._openssl(f"req -x509 {signing}", name, subject, pem)

        return pem, self._directory / f"{name}.key"

    def _openssl(self, what: str, name: str, subject: str, pem: Path) -> None:
        key = self._directory / f"{name}.key"
        words = ["openssl", *what.split(), *_EC.split(), "-subj", subject]
        command = [*words, "-keyout", str(key), "-out", str(pem)]
        subprocess.run(command, check=True, capture_output=True)

    def shown(self, name: str) -> dict[str, bytes]:
        """Return what openssl shows of a certificate, in the words of a record."""
        pem = self._directory / f"{name}.pem"
        wanted = "-noout -subject -serial -fingerprint -sha256 -nameopt RFC2253"
        command = ["openssl", "x509", "-in", str(pem), *wanted.split()]
        told = subprocess.run(command, check=True, capture_output=True).stdout
        values = [line.partition(b"=")[2] for line in told.splitlines()]
        subject, serial, sha256 = values

        return {
            "subject": subject,
            "serial": serial,
            "sha256": sha256.replace(b":", b"").lower(),
        }

    def client(
        self, name: str = "", version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ) -> ssl.SSLContext:
        """Return a client, with the certificate of one of them or without any."""
        context = ssl.create_default_context(cafile=str(self.ca))
        context.check_hostname = False
        context.minimum_version = context.maximum_version = version
        if name:
            of_name = self._directory / name
            context.load_cert_chain(f"{of_name}.pem", f"{of_name}.key")

        return context

# SPDX-License-Identifier: Apache-2.0
"""How to reach a cluster of etcd servers, and as whom."""

from __future__ import annotations

from pathlib import Path

import msgspec

from percale.errors import Refused

__all__ = ["EtcdSettings"]


class EtcdSettings(msgspec.Struct, frozen=True):
    """Endpoints are URLs (``https://192.0.2.1:2379``); keys and certificates are PEM texts, not paths.

    ``timeout_s`` bounds each call to an endpoint, connecting included; where the next is asked too, a call takes at
    most about twice that, however many there are. A name and a password count only together.
    """

    endpoints: tuple[str, ...]
    username: str = ""
    password: str = ""
    key: bytes = b""
    certificate: bytes = b""
    ca_certificate: bytes = b""
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if not self.endpoints:
            raise Refused("no etcd endpoints specified")
        if bool(self.key) != bool(self.certificate):
            raise Refused("an etcd key and its certificate must both be given")

    def __repr__(self) -> str:
        """Return what may be seen by anybody: neither password nor key."""
        return f"EtcdSettings(endpoints={self.endpoints!r}, username={self.username!r})"

    @classmethod
    def of(
        cls,
        endpoints: str,
        *,
        username: str = "",
        password: str = "",
        key_file: str = "",
        certificate_file: str = "",
        ca_certificate_file: str = "",
    ) -> EtcdSettings:
        """Return the settings from a comma list of URLs and the paths of files; raises Refused."""
        return cls(
            tuple(part.strip() for part in endpoints.split(",") if part.strip()),
            username=username,
            password=password,
            key=_contents(key_file),
            certificate=_contents(certificate_file),
            ca_certificate=_contents(ca_certificate_file),
        )

    @property
    def authenticates(self) -> bool:
        """Whether a name and a password are used."""
        return bool(self.username and self.password)


def _contents(path: str) -> bytes:
    if not path:
        return b""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Refused(f"cannot read {path}: {error.strerror or error}") from error

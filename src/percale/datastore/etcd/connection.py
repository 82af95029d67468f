# SPDX-License-Identifier: Apache-2.0
"""Calls to a cluster of etcd servers: one channel per endpoint, failover, bounded retries, tokens.

A read is repeated when a server fails. A write is repeated only where it surely was not executed, because etcd
may have done it although its answer was lost; then StoreUnavailable says so and the caller looks again.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import grpc

from percale.datastore.etcd.messages import METHODS, message
from percale.datastore.etcd.settings import EtcdSettings
from percale.errors import Refused, StoreUnavailable, Unauthorized

__all__ = ["EtcdConnection", "pause"]

_ATTEMPTS = 4
_PAUSE_S = 0.05
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
)
_CHANCE = random.Random()
_STREAMS = frozenset({"Watch", "LeaseKeepAlive"})
_READS = frozenset({"Range", "Status", "Authenticate"})
# gRPC says so when no connection could be made, etcd when it has not even proposed the change.
_NEVER_SENT = ("failed to connect", "dns resolution failed", "no address")
_NEVER_PROPOSED = ("too many requests", "not capable", "auth: invalid auth token", "auth: token is nil")


class EtcdConnection:
    """A set of channels of which one is in use; ``retries`` counts the repeated calls."""

    def __init__(self, settings: EtcdSettings) -> None:
        self._settings = settings
        self._channels = [_channel(endpoint, settings) for endpoint in settings.endpoints]
        self._current = 0
        self._lock = threading.Lock()
        self._token = ""
        self.retries = 0

    def call(self, method: str, request: Any) -> Any:
        """Do a call and return its answer; raises grpc.RpcError for what etcd itself refuses, StoreUnavailable else."""
        for attempt in range(_ATTEMPTS * len(self._channels)):
            current = self._current
            try:
                return self._stub(method)(request, timeout=self._settings.timeout_s, metadata=self._metadata())
            except grpc.RpcError as error:
                if not self._may_repeat(method, error, current) or attempt == _ATTEMPTS * len(self._channels) - 1:
                    raise self._translated(method, error) from error
            with self._lock:
                self.retries += 1
            if attempt >= len(self._channels):
                time.sleep(pause(attempt - len(self._channels)))
        raise AssertionError("unreachable")

    def stream(self, method: str, requests: Iterator[Any], timeout_s: float | None = None) -> Any:
        """Open a stream and return the call: an iterator of answers with ``cancel()``."""
        return self._stub(method)(requests, timeout=timeout_s, metadata=self._metadata())

    def fail_over(self, failed: int | None = None) -> None:
        """Use the next endpoint from now on, unless another thread has already left the failed one."""
        with self._lock:
            if failed is None or failed == self._current:
                self._current = (self._current + 1) % len(self._channels)

    def forget_token(self) -> None:
        """Authenticate again before the next call."""
        self._token = ""

    def close(self) -> None:
        """Close all channels."""
        for channel in self._channels:
            channel.close()

    def _stub(self, method: str) -> Any:
        service, request, response = METHODS[method]
        channel = self._channels[self._current]
        kind = channel.stream_stream if method in _STREAMS else channel.unary_unary
        return kind(
            f"/etcdserverpb.{service}/{method}",
            request_serializer=message(request).SerializeToString,
            response_deserializer=message(response).FromString,
        )

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        if not self._settings.authenticates:
            return ()
        if not self._token:
            request = message("AuthenticateRequest")(name=self._settings.username, password=self._settings.password)
            stub = self._stub("Authenticate")
            self._token = stub(request, timeout=self._settings.timeout_s).token
        return (("token", self._token),)

    def _may_repeat(self, method: str, error: grpc.RpcError, failed: int) -> bool:
        code, details = error.code(), (error.details() or "").lower()
        if code is grpc.StatusCode.UNAUTHENTICATED and "invalid auth token" in details:
            self.forget_token()
            return True
        if any(text in details for text in _NEVER_PROPOSED):
            return code is not grpc.StatusCode.UNAUTHENTICATED
        if code is not grpc.StatusCode.UNAVAILABLE:
            return False
        self.fail_over(failed)
        return method in _READS or any(text in details for text in _NEVER_SENT)

    def _translated(self, method: str, error: Any) -> Exception:
        code, details = error.code(), error.details() or ""
        where = ", ".join(self._settings.endpoints)
        refusals = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
        if code in refusals or "auth" in details or "user name is empty" in details:
            return Unauthorized(details)
        if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED):
            unknown = method not in _READS and not any(text in details.lower() for text in _NEVER_SENT)
            hint = "; whether the change was made is not known" if unknown else ""
            return StoreUnavailable(f"etcd at {where} does not answer: {details}{hint}")
        assert isinstance(error, Exception)
        return error


def pause(attempt: int) -> float:
    """Return how long to wait before a repetition: doubled each time up to two seconds, half of it by chance."""
    longest: float = min(2.0, _PAUSE_S * 2**attempt)
    return longest * (0.5 + _CHANCE.random() / 2)


def _channel(endpoint: str, settings: EtcdSettings) -> Any:
    url = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
    if url.scheme not in ("http", "https") or not url.netloc:
        raise Refused(f"{endpoint!r} is not the URL of an etcd server")
    if url.scheme == "http":
        return grpc.insecure_channel(url.netloc, options=_OPTIONS)
    credentials = grpc.ssl_channel_credentials(
        settings.ca_certificate or None, settings.key or None, settings.certificate or None
    )
    return grpc.secure_channel(url.netloc, credentials, options=_OPTIONS)

"""Downloads from one mirror, with limits on time and size: it may be slow, endless or wrong."""

import contextlib
import functools
import io
import sys
import time
from collections.abc import Generator
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    UnknownHandler,
)

from typing_extensions import override

from fashionclf._text import first_line

TIMEOUT: Final = 20.0  # seconds that a mirror may stay silent; without a limit, urllib would wait for ever
PATIENCE: Final = 30.0  # seconds that a transfer may take, beside those of its bytes at the slowest speed
SLOWEST: Final = 20_000  # bytes a second
_CHUNK: Final = 1 << 16
_OVERHEAD: Final = 1 << 17  # bytes of headers and of the answers that redirect


class MirrorFaultError(Exception):
    """A mirror did not deliver a file.

    Args:
        reason: Why, in a few words.
        may_have_others: Whether it may still have the other files.
    """

    def __init__(self, reason: str, *, may_have_others: bool = False) -> None:
        super().__init__(reason)
        self.may_have_others = may_have_others


def received(url: str, most: int) -> Generator[bytes, None, None]:
    """Give the content of `url` in parts, and print one line on standard error.

    Args:
        url: An address of `http` or `https`. It may redirect to others.
        most: The largest size of the content.

    Raises:
        MirrorFaultError: If the mirror does not deliver the file, for any reason.
    """
    bounds = _Bounds(most + _OVERHEAD)
    try:
        with contextlib.closing(_opener(bounds).open(url, timeout=TIMEOUT)) as response:
            size = response.length  # None if it does not say, or says nonsense
            bounds.expect(size or 0)
            print(f"Downloading {url}{f' ({size / 1e6:.1f} MB)' if size else ''}", file=sys.stderr)
            while part := response.read(_CHUNK):
                yield part
    except HTTPError as error:
        error.close()
        raise MirrorFaultError(first_line(f"HTTP {error.code} {error.reason}"), may_have_others=True) from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: a malformed address or number
        raise MirrorFaultError(_reason(error)) from error


def _reason(error: BaseException) -> str:
    reason: Any = getattr(error, "reason", error)
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return first_line(reason)


class _Bounds:
    """The limits of one transfer on bytes and time, with all its redirects.

    Args:
        most: The largest number of bytes.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._started = time.monotonic()

    def add(self, count: int) -> None:
        """Count received bytes."""
        self._count += count
        self.expect(0)

    def expect(self, count: int) -> None:
        """Raise an error if `count` more bytes would be too many."""
        if self._count + count > self._most:
            raise OSError(f"it sends more than the {self._most / 1e6:.1f} MB that were expected")

    def seconds_left(self) -> float:
        """Return the seconds that are left; raise an error if there are none."""
        left = self._started + PATIENCE + self._count / SLOWEST - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"it sends less than {SLOWEST / 1000:g} kB a second")
        return min(left, TIMEOUT)


class _Stream(io.RawIOBase):
    """A connection with these limits. The timeout of a socket limits each silence only, not the transfer."""

    def __init__(self, sock: Any, bounds: _Bounds) -> None:
        self._socket = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._bounds = bounds

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(self._bounds.seconds_left())
        try:
            count: int = self._raw.readinto(buffer)
        except TimeoutError:
            self._bounds.seconds_left()  # raises an error if the whole transfer took too long
            raise
        self._bounds.add(count)
        return count

    @override
    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    """A response with these limits, also for its headers."""

    def __init__(self, bounds: _Bounds, sock: Any, **options: Any) -> None:
        super().__init__(sock, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_Stream(sock, bounds))


def _opener(bounds: _Bounds) -> OpenerDirector:
    """Return an opener for http and https only: a mirror may redirect to files or other schemes."""

    def connection(kind: type[HTTPConnection], *args: Any, **options: Any) -> HTTPConnection:
        made = kind(*args, **options)
        made.response_class = functools.partial(_Response, bounds)  # type: ignore[assignment]
        return made

    class Plain(HTTPHandler):
        @override
        def http_open(self, req: Any) -> Any:
            return self.do_open(functools.partial(connection, HTTPConnection), req)

    class Secure(HTTPSHandler):
        @override
        def https_open(self, req: Any) -> Any:
            return self.do_open(functools.partial(connection, HTTPSConnection), req)

    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        Plain(),
        Secure(),
        HTTPRedirectHandler(),
        HTTPDefaultErrorHandler(),
        HTTPErrorProcessor(),
        UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener

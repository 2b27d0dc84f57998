"""FTP, as the standard library speaks it.

fsspec's own file system starts an upload anew for every 64 kB, and takes whatever a server refuses for an absent file.
"""

import ftplib
import ssl
from contextlib import suppress
from typing import BinaryIO

from headrace_files.line import Target

PIECE = 256 * 1024
REASON_SECONDS = 5
_UNKNOWN_COMMAND = ("500", "502")
_REFUSED = ("permission", "denied", "not allowed", "read-only", "read only", "forbidden")


class Ftp:
    """A connection; encrypted where `tls` is among the options, and then the server's certificate is checked."""

    def __init__(self, to: Target) -> None:
        options = dict(to.more)
        encoding, tls = options.pop("encoding", "utf-8"), options.pop("tls", False)
        if options:
            raise TypeError(f"FTP has no option {min(options)!r}; it has username, password, port, timeout, encoding and tls")
        self._ftp = _secure(to, encoding) if tls else ftplib.FTP(timeout=to.seconds, encoding=encoding)
        try:
            self._ftp.connect(to.host, to.port or 21)
            self._ftp.login(to.username or "", to.password or "")
            if isinstance(self._ftp, ftplib.FTP_TLS):
                self._ftp.prot_p()
        except BaseException:
            self.leave()
            raise

    def is_file(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        return name in self.names(folder)

    def is_folder(self, path: str) -> bool:
        try:
            self._ftp.cwd(path or "/")
        except ftplib.error_perm:
            return False
        return True

    def names(self, folder: str) -> list[str]:
        try:
            return self._told(folder or "/")
        except ftplib.error_perm as error:
            if _is_refusal(error) or self.is_folder(folder):
                raise
            raise FileNotFoundError(folder) from error

    def _told(self, folder: str) -> list[str]:
        try:
            entries = [(name.rpartition("/")[2], facts.get("type")) for name, facts in self._ftp.mlsd(folder)]
            return [f"{name}{'/' * (kind == 'dir')}" for name, kind in entries if kind not in ("cdir", "pdir")]
        except ftplib.error_perm as error:
            if not str(error).startswith(_UNKNOWN_COMMAND):
                raise
        lines: list[str] = []
        self._ftp.retrlines(f"LIST {folder}", lines.append)
        found = [(line.split(maxsplit=8)[-1], line.startswith("d")) for line in lines if len(line.split(maxsplit=8)) == 9]
        return [f"{name}{'/' * is_folder}" for name, is_folder in found if name not in (".", "..")]

    def make_folder(self, folder: str) -> None:
        if not folder or self.is_folder(folder):
            return
        self.make_folder(folder.rpartition("/")[0])
        try:
            self._ftp.mkd(folder)
        except ftplib.error_perm:
            if not self.is_folder(folder):  # else somebody else was faster
                raise

    def fetch(self, path: str, file: BinaryIO) -> None:
        try:
            self._ftp.retrbinary(f"RETR {path}", file.write, PIECE)
        except ftplib.error_perm as error:
            if _is_refusal(error) or self.is_file(path):
                raise
            raise FileNotFoundError(path) from error

    def send(self, file: BinaryIO, path: str) -> None:
        try:
            self._ftp.storbinary(f"STOR {path}", file, PIECE)
        except OSError as error:
            reason = self._reason()
            if reason is None:
                raise
            raise reason from error

    def _reason(self) -> ftplib.Error | None:
        """What the server said when it took no more; the data have a connection of their own, which only breaks."""
        try:
            assert self._ftp.sock is not None, "it was connected"
            self._ftp.sock.settimeout(REASON_SECONDS)
            self._ftp.voidresp()
        except ftplib.Error as said:
            return said
        except Exception:  # it says nothing any more
            return None
        return None

    def rename(self, path: str, to: str) -> None:
        self._ftp.rename(path, to)

    def remove(self, path: str) -> None:
        self._ftp.delete(path)

    def leave(self) -> None:
        with suppress(Exception):
            self._ftp.close()


def _secure(to: Target, encoding: str) -> ftplib.FTP_TLS:
    # the default context of ftplib checks nothing
    return ftplib.FTP_TLS(timeout=to.seconds, encoding=encoding, context=ssl.create_default_context())


def _is_refusal(error: ftplib.error_perm) -> bool:
    """One number (550) is all that servers have for what is not there and for what one may not see; their words tell which it is."""
    said = str(error).lower()
    return said.startswith("530") or any(word in said for word in _REFUSED)

"""An FTP server as many are: without the commands of RFC 3659, so that it lists folders only as `ls -l` does. It is pyftpdlib."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers.files import PASSWORD, USER, FileServer
from servers.process import free_ports, served

_PROGRAM = """
import sys, warnings
warnings.simplefilter("ignore")
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

port, folder, user, password = sys.argv[1:]
FTPHandler.authorizer = DummyAuthorizer()
FTPHandler.authorizer.add_user(user, password, folder, perm="elradfmwMT")
FTPHandler.proto_cmds = {name: facts for name, facts in FTPHandler.proto_cmds.items() if name not in ("MLSD", "MLST")}
FTPServer(("127.0.0.1", int(port)), FTPHandler).serve_forever()
"""


@contextmanager
def old_ftp(folder: Path) -> Iterator[FileServer]:
    """Starts it: takes half a second."""
    shown = folder / "shown"
    shown.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    with served([sys.executable, "-c", _PROGRAM, str(port), str(shown), USER, PASSWORD], port, folder) as pid:
        yield FileServer(protocol="ftp", port=port, folder=shown, host_key="", pid=pid)

"""What a probe runs in a container: it looks for headrace there, and asks addresses of the API. It runs with any Python that an image may have."""

VARIABLE = "HEADRACE_PROBE"
"""The environment variable with what is asked, as JSON: `modules` that are needed, and the `addresses` to try."""

MARK = "headrace-probe: "
"""How the line begins that the probe answers with, whatever else is printed in the container."""

OUTSIDE = "host.docker.internal"
GATEWAY = "gateway"
"""What stands in an address for the gateway of the container's network, which only the container knows."""

PROGRAM = r"""
import json, os, socket, struct, sys

asked = json.loads(os.environ["HEADRACE_PROBE"])


def lacks():
    if sys.version_info < (3, 11):
        return "its Python is %d.%d, and headrace needs 3.11" % sys.version_info[:2]
    for module in asked["modules"]:
        try:
            __import__(module)
        except Exception as error:
            return "%s cannot be imported there (%s: %s)" % (module, type(error).__name__, error)
    return ""


def gateway():
    try:
        with open("/proc/net/route") as routes:
            for line in routes:
                parts = line.split()
                if len(parts) > 2 and parts[1] == "00000000" and parts[2] != "00000000":
                    return socket.inet_ntoa(struct.pack("<L", int(parts[2], 16)))
    except (OSError, ValueError):
        pass
    return ""


def why_not(address):
    from urllib.error import HTTPError
    from urllib.parse import urlsplit
    from urllib.request import ProxyHandler, Request, build_opener

    host = urlsplit(address).hostname or ""
    direct = host in ("localhost", "::1", "host.docker.internal") or host.startswith("127.")
    opener = build_opener(*([ProxyHandler({})] if direct else []))
    try:
        with opener.open(Request(address + "/flow-runs/headrace-probe", headers={"Accept": "application/json"}), timeout=asked["seconds"]) as answer:
            status, kind, body = answer.status, answer.headers.get_content_type(), answer.read(65536)
    except HTTPError as error:
        status, kind, body = error.code, error.headers.get_content_type(), error.read(65536)
    except Exception as error:
        reason = getattr(error, "reason", error)
        return str(getattr(reason, "strerror", None) or reason).lower() or type(reason).__name__
    try:
        told = json.loads(body.decode())
    except ValueError:
        told = None
    if isinstance(told, dict) and kind == "application/problem+json":
        return "refused: %s" % told.get("detail", "") if status == 403 else ""
    if isinstance(told, dict) and "result" in told:
        return ""
    return "what answers there is no API of headrace (status %d)" % status


def version():
    try:
        import headrace

        return headrace.__version__
    except Exception:
        return ""


found, tried, lack = None, [], lacks()
for address in asked["addresses"] if not lack else ():
    if "//gateway" in address:
        host = gateway()
        if not host:
            continue
        address = address.replace("//gateway", "//" + host, 1)
    if any(address == other for other, _ in tried):
        continue
    why = why_not(address)
    tried.append((address, why))
    if not why:
        found = address
        break
print("headrace-probe: " + json.dumps({"lacks": lack, "version": version(), "found": found, "tried": tried}), flush=True)
"""
"""The program."""

"""Which addresses a process listens on."""

from contextlib import suppress
from pathlib import Path

LISTENING, CONNECTED = "0A", "01"


def listening(pid, states=(LISTENING,)):
    """Addresses and ports, as /proc/net writes them; with other states, of other sockets."""
    found = set()
    with suppress(OSError):  # it has ended
        for path in [*Path(f"/proc/{pid}/fd").iterdir()]:
            with suppress(OSError):  # closed since, such as that of the listing itself
                found.add(str(path.readlink()))
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[3] in states and f"socket:[{row[9]}]" in found]

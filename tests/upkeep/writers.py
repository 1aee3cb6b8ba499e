# A process that writes to a trail for some seconds, by the writer itself.
#
# `python -m tests.upkeep.writers TRAIL SECONDS [FILES]`: a request that runs all the
# time, and others beside it, for so long at least, and until somebody who rotates has
# left so many files.
import sys
import time
from pathlib import Path

from tests.trail.samples import event, spill_of

from audit_mw.config import Config
from audit_mw.event import Param, Spilled
from audit_mw.ids import EventIds
from audit_mw.system_notes import SystemNotes
from audit_mw.trail.writer import Writer

_AT_LEAST = 200


def main(trail: str, seconds: str, files: str = "0") -> None:
    """Write until the time is over, and end well."""
    config = Config.load({"trail": trail})
    writer = Writer(config, SystemNotes("bank", EventIds()), "bank")
    writer.open()
    running = writer.place()
    made = event(instance=writer.instance)
    for _ in running.open(made):
        pass
    sys.stdout.write("open\n")
    sys.stdout.flush()
    end, count = time.monotonic() + float(seconds), 0
    requests = Path(trail) / "request"
    while (
        time.monotonic() < end
        or count < _AT_LEAST
        or len(list(requests.iterdir())) < int(files)
    ):
        count += 1
        spill = spill_of(b"%0300d" % count)
        writer.commit(
            event(
                instance=writer.instance,
                params=(Param("form", b"a", Spilled(300, spill.sha256)),),
                spills=(spill,),
            )
        )
        time.sleep(0.002)
    running.finish(made)
    writer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

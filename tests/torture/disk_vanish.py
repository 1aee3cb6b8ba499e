# What may become of a file of the trail while it is written to, by whoever can get at it.
#
# Each way is done to the segment of requests of a server that runs. What stood in it is
# kept before it is gone, as far as that can be without changing what is tested: so the
# judge can ask for every record.
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.torture.disk_serving import Server

__all__ = ["WAYS", "Scene", "Way", "kept", "tidy"]


@dataclass(frozen=True)
class Scene:
    """Where it happens: the server, its segment, and a place that is not the trail's."""

    server: Server
    segment: Path
    elsewhere: Path

    @property
    def outside(self) -> Path:
        """A file that nothing may be written to."""
        return self.elsewhere / "outside"

    def put(self, make: Callable[[Path], object]) -> None:
        """Put what `make` makes in the place of the segment, at once."""
        new = self.elsewhere / "new"
        make(new)
        new.rename(self.segment)


@dataclass(frozen=True)
class Way:
    """
    One way.

    Args:
        happen: does it; what it returns is a `with` that takes it back.
        gap: whether a `log_gap` record tells of it.
        refused: whether requests are refused until it is mended.
        mend: what an operator does, so that there is a file again.
    """

    happen: Callable[[Scene], AbstractContextManager[object]]
    gap: bool = True
    refused: bool = False
    mend: Callable[[Scene], object] = lambda _: None


def _once(
    happen: Callable[[Scene], object],
) -> Callable[[Scene], AbstractContextManager[object]]:
    @contextmanager
    def once(scene: Scene) -> Iterator[None]:
        happen(scene)
        yield

    return once


def _rename_and_create(scene: Scene) -> None:
    _rename(scene)
    scene.segment.touch(0o640)


def _rename(scene: Scene) -> None:
    scene.segment.rename(scene.segment.with_name("rotated.log"))


def _truncate(scene: Scene) -> None:
    # It stands still meanwhile: what it wrote between the copy and the cut would be
    # gone, as it is when somebody does this.
    os.kill(scene.server.worker, signal.SIGSTOP)
    try:
        copy = scene.elsewhere / "kept" / "request" / "truncated.log"
        copy.parent.mkdir(parents=True)
        shutil.copyfile(scene.segment, copy)
        os.truncate(scene.segment, 0)
    finally:
        os.kill(scene.server.worker, signal.SIGCONT)


def _link(scene: Scene) -> None:
    scene.put(lambda new: new.symlink_to(scene.outside))


def _socket(scene: Scene) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        # A name for a socket is short; that of a test's directory is not.
        with _inside(scene.elsewhere):
            server.bind("new")
        (scene.elsewhere / "new").rename(scene.segment)


@contextmanager
def _inside(directory: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)


def _directory(scene: Scene) -> None:
    scene.segment.unlink()
    scene.segment.mkdir()


def _move_stream(scene: Scene) -> None:
    stream = scene.segment.parent
    (scene.elsewhere / "kept").mkdir()
    stream.rename(scene.elsewhere / "kept" / stream.name)


def _link_stream(scene: Scene) -> None:
    _move_stream(scene)
    scene.outside.unlink()
    scene.outside.mkdir()
    scene.segment.parent.symlink_to(scene.outside)


@contextmanager
def _mount(scene: Scene) -> Iterator[None]:
    stream = scene.segment.parent
    other = scene.elsewhere / "kept" / stream.name
    other.mkdir(parents=True)
    subprocess.run(["mount", "--bind", other, stream], check=True)
    try:
        yield
    finally:
        # Whoever has a file open in it keeps it: it is gone all the same.
        subprocess.run(["umount", "--lazy", stream], check=True)


def _remove_trail(scene: Scene) -> None:
    shutil.rmtree(scene.server.trail)


def _set(scene: Scene, attribute: str) -> None:
    subprocess.run(["chattr", attribute, scene.segment], check=True)


@contextmanager
def _attribute(scene: Scene, which: str) -> Iterator[None]:
    _set(scene, f"+{which}")
    try:
        yield
    finally:
        _set(scene, f"-{which}")


WAYS = {
    "rename": Way(_once(_rename), gap=False),
    "rename and create": Way(_once(_rename_and_create), gap=False),
    "hard link": Way(
        _once(lambda scene: (scene.elsewhere / "new").hardlink_to(scene.segment)),
        gap=False,
    ),
    "append-only": Way(lambda scene: _attribute(scene, "a"), gap=False),
    "immutable": Way(
        lambda scene: _attribute(scene, "i"),
        gap=False,
        refused=True,
        mend=lambda scene: _set(scene, "-i"),
    ),
    "unlink": Way(_once(lambda scene: scene.segment.unlink())),
    "truncate": Way(_once(_truncate)),
    "another file": Way(_once(lambda scene: scene.put(Path.touch))),
    "a hard link of another": Way(
        _once(lambda scene: scene.put(lambda new: new.hardlink_to(scene.outside)))
    ),
    "symbolic link": Way(_once(_link)),
    "FIFO": Way(_once(lambda scene: scene.put(os.mkfifo))),
    "socket": Way(_once(_socket)),
    "directory": Way(_once(_directory)),
    "no stream": Way(_once(_move_stream)),
    "a link for a stream": Way(
        _once(_link_stream),
        refused=True,
        mend=lambda scene: scene.segment.parent.unlink(),
    ),
    "a mount": Way(_mount),
    "no trail": Way(_once(_remove_trail)),
    "mode 0666": Way(_once(lambda scene: scene.segment.chmod(0o666))),
    "mode 0": Way(_once(lambda scene: scene.segment.chmod(0))),
}


@contextmanager
def kept(segments: list[Path], directory: Path) -> Iterator[None]:
    """Keep what stands in files, in the end, whatever becomes of their names."""
    # A descriptor, for a second link would make an unlinked file one that has a name.
    with ExitStack() as stack:
        files = {path: stack.enter_context(path.open("rb")) for path in segments}
        yield
        for number, (path, file) in enumerate(files.items()):
            copy = directory / path.parent.name / f"{number}.log"
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not os.fstat(file.fileno()).st_nlink:
                copy.write_bytes(file.read())


def tidy(trail: Path) -> None:
    """Remove what is no file from the streams of a trail: no reader is to open it."""
    for path in trail.glob("[a-z]*/*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            path.unlink()
        elif path.is_dir():
            path.rmdir()

"""A stand-in for an object store: fsspec's file system in memory, under the scheme `s3`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ClassVar


def install() -> Any:  # noqa: ANN401 - fsspec has no types
    """Make `s3://` an empty store in memory, and return it."""
    import fsspec
    from fsspec.implementations.memory import MemoryFileSystem

    class Bucket(MemoryFileSystem):  # type: ignore[misc]
        """Its own objects, also for a process with others."""

        protocol = ("s3",)
        store: ClassVar[dict[str, Any]] = {}
        pseudo_dirs: ClassVar[list[str]] = [""]

        lock: ClassVar[threading.Lock] = threading.Lock()
        opened: ClassVar[list[str]] = []
        """The objects that were opened to be read."""
        reading: ClassVar[dict[str, Callable[[], Any]]] = {}
        """What opening an object does in place of returning it, by its path."""

        def _open(self, path: str, mode: str = "rb", **more: Any) -> Any:  # noqa: ANN401 - fsspec has no types
            if mode == "rb":
                self.opened.append(path)
                if path in self.reading:
                    return self.reading[path]()
            return super()._open(path, mode, **more)

        def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **more: object) -> None:
            """Write an object; `create` is conditional, as in S3."""
            with self.lock:
                super().pipe_file(path, value, mode=mode, **more)

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            inner: str = MemoryFileSystem._strip_protocol(path.removeprefix("s3:/"))
            return inner

    fsspec.register_implementation("s3", Bucket, clobber=True)
    return Bucket(skip_instance_cache=True)

"""Interlaced frames as whole pictures of one instant each."""

import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction

import av

FILTER = "bwdif"


class Deinterlacing:
    """Passes decoded frames on; from the first interlaced one, the lines that belong to another instant are replaced.

    Attributes:
        found: whether a frame was interlaced so far.
    """

    def __init__(self, time_base: Fraction):
        self.found = False
        self._time_base = time_base
        self._graph: av.filter.Graph | None = None
        self._kind: tuple[int, int, str] | None = None

    def __call__(self, frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """As many frames, of the same times, in the same order."""
        for frame in frames:
            self.found = self.found or frame.interlaced_frame
            if not self.found:
                yield frame
                continue
            kind = frame.width, frame.height, frame.format.name
            if kind != self._kind:
                yield from self._rest()
                self._graph, self._kind = self._new(frame), kind
            self._graph.push(frame)
            yield from self._ready()
        yield from self._rest()

    def _new(self, frame: av.VideoFrame) -> av.filter.Graph:
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format.name, time_base=self._time_base
        )
        # One frame for each; those that aren't interlaced stay as they are.
        links = source, graph.add(FILTER, "mode=send_frame:deint=interlaced"), graph.add("buffersink")
        for before, after in itertools.pairwise(links):
            before.link_to(after)
        graph.configure()
        return graph

    def _ready(self) -> Iterator[av.VideoFrame]:
        while True:
            try:
                yield self._graph.pull()
            except (BlockingIOError, av.error.EOFError):
                return

    def _rest(self) -> Iterator[av.VideoFrame]:
        if self._graph is not None:
            self._graph.push(None)
            yield from self._ready()
            self._graph = self._kind = None

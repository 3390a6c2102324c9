"""The one person of several recordings: who has the largest share of all, and who that is in each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from imavatar.errors import DataError
from imavatar.preprocessing.face_identity import identity_likeness
from imavatar.preprocessing.face_tracks import FaceTrack, Person, person_at, weight_of

ALIKE = 0.7
"""Likeness of two recordings' faces from which on they are taken for one person's without a word."""
UNLIKE = 0.55
"""Likeness below which they are not: `face_identity` says what was measured. Between the two nobody can tell."""


@dataclass(frozen=True)
class Cast:
    """Who is seen in a recording.

    Args:
        side: the longer one of its pictures, pixels.
        people: whoever is larger in more of it first.
    """

    path: Path
    side: int
    people: Sequence[Person]


@dataclass(frozen=True)
class Choice:
    """Who is followed in a recording; no tracks where nobody is seen. What is doubtful about it, for the user."""

    person: Person
    doubt: str | None = None


@dataclass
class _Somebody:
    """A person as seen in one or several recordings, by their numbers."""

    seen: dict[int, Person] = field(default_factory=dict)
    weight: float = 0.0

    def likeness(self, person: Person) -> float:
        """How alike somebody is."""
        tracks = [track for seen in self.seen.values() for track in seen]
        return identity_likeness(_identities(tracks), _identities(person))


def choose_people(casts: Sequence[Cast], point: tuple[int, int] | None = None) -> list[Choice]:
    """Choose the person of each recording.

    Args:
        point: whose face comes near this pixel of the upright pictures first, in each recording. Who is pointed at is
            never refused. None: the person whose face is the largest in most of all recordings.

    Raises:
        DataError: a recording shows somebody else only.
    """
    asked = None if point is None else [person_at(cast.people, point) for cast in casts]
    wanted = [cast.people if asked is None else [asked[k]] for k, cast in enumerate(casts)]
    everyone = _everyone(casts, [[person for person in people if person] for people in wanted])
    if not everyone:
        return [Choice([]) for _ in casts]
    main = max(everyone, key=lambda somebody: somebody.weight)
    known = casts[max(main.seen, key=lambda k: weight_of(main.seen[k]) / casts[k].side)].path
    return [
        Choice(main.seen[k]) if k in main.seen else _most_alike(cast, main, known, None if asked is None else asked[k])
        for k, cast in enumerate(casts)
    ]


def _everyone(casts: Sequence[Cast], people: Sequence[Sequence[Person]]) -> list[_Somebody]:
    """Those who are alike in different recordings joined; whoever has been told apart in one is not."""
    shares = [(weight_of(p) / casts[k].side, -k, n) for k, seen in enumerate(people) for n, p in enumerate(seen)]
    everyone: list[_Somebody] = []
    for share, negative, n in sorted(shares, reverse=True):
        number, person = -negative, people[-negative][n]
        alike = [
            (value, -i)
            for i, somebody in enumerate(everyone)
            if number not in somebody.seen and (value := somebody.likeness(person)) > ALIKE
        ]
        if not alike:
            everyone.append(_Somebody())
        somebody = everyone[-max(alike)[1]] if alike else everyone[-1]
        somebody.seen[number] = person
        somebody.weight += share
    return everyone


def _most_alike(cast: Cast, main: _Somebody, known: Path, asked: Person | None) -> Choice:
    """Of a recording in which nobody is certainly the main person the largest who may be; the one asked for, if any."""
    candidates = list(cast.people) if asked is None else [asked] if asked else []
    if not candidates:
        return Choice([])
    values = [main.likeness(person) for person in candidates]
    if asked is None and max(values) < UNLIKE:
        raise DataError(
            f"{cast.path}: shows another person than {known}, by the likeness of their faces ({max(values):.2f}; one "
            f"person in two lights has {ALIKE} and more). An avatar is of one person: leave one of the videos out. If "
            "it is the same person after all, give --face x,y, a pixel that is on the face in each of them"
        )
    index = next(k for k, value in enumerate(values) if asked is not None or value >= UNLIKE)
    doubt = (
        f"May show another person than {known.name} (likeness of the faces {values[index]:.2f}; one person in two "
        f"lights has {ALIKE} and more). If so, leave one of the videos out."
    )
    return Choice(candidates[index], doubt)


def _identities(tracks: Sequence[FaceTrack]) -> Float[np.ndarray, "n r t"]:
    return np.stack([sighting.identity for track in tracks for sighting in track.sightings])

"""Whether an avatar still shows the person after an epoch: a divergence may stay finite and leave no surface."""

from dataclasses import dataclass

import torch

from imavatar.data.dataset import FaceDataset
from imavatar.data.sampling import generator_for
from imavatar.rendering.camera import cast_rays
from imavatar.training.step import Run

MOST_FRAMES = 4
"""Of the data set, whose rays are looked at after every epoch."""
NO_EPOCH = -1
WORSE_OVERLAP = 0.5
"""Share of the best overlap with the masks below which an epoch has made the avatar worse."""
WORSE_COLOUR, COLOUR_MARGIN = 2.0, 0.2
"""Multiple of the least colour difference, and what is added to it, above which an epoch has."""


@dataclass(frozen=True)
class Look:
    """How an avatar shows some rays of training frames.

    `overlap` is the intersection over union of the rays that hit the surface and those in the mask, `colour` the mean
    absolute difference of colours in [-1, 1] where both are, infinite where nowhere are.
    """

    n_hit: int
    overlap: float
    colour: float


class Watch:
    """Looks at the same rays of the same frames after every epoch, and compares with the best that it has seen.

    There are `n_pixels` rays, of all frames together, chosen by the seed.
    """

    def __init__(self, run: Run, dataset: FaceDataset, *, n_pixels: int, seed: int):
        self._run = run
        n = min(MOST_FRAMES, len(dataset))
        rows = torch.linspace(0, len(dataset) - 1, n).round().long().tolist()
        batch = dataset.batch(rows, max(2, n_pixels // n), generator_for(seed, NO_EPOCH, NO_EPOCH))
        self._batch = run.processes.shard_rays(batch).to(run.flame.v_template.device)
        self._overlap, self._colour = 0.0, float("inf")

    @torch.no_grad()
    def look(self) -> Look:
        """What the avatar shows now, on the rays of all processes."""
        run, batch = self._run, self._batch
        posed = run.flame(run.frames.head(batch.frame), run.frames.latent(batch.frame))
        rays = cast_rays(run.frames.camera(batch.frame, batch.camera), batch.pixels, batch.rays_frame)
        hits = run.avatar.find_surface(rays, posed, batch.foreground)
        both = hits.hit & batch.foreground
        difference = (run.avatar.shade(rays, posed, hits, both).rgb - batch.rgb)[both].abs().mean(dim=-1).sum()
        sums = torch.stack([hits.hit.sum(), both.sum(), (hits.hit | batch.foreground).sum(), difference]).double()
        n_hit, n_both, n_either, difference = run.processes.total(sums).tolist()
        return Look(int(n_hit), n_both / max(1.0, n_either), difference / n_both if n_both > 0 else float("inf"))

    def is_sound(self, look: Look) -> bool:
        """Whether a look is not much worse than the best one so far, which it may become itself."""
        sound = look.n_hit > 0 and look.overlap >= WORSE_OVERLAP * self._overlap
        # False for a colour that is no number.
        sound = sound and look.colour <= WORSE_COLOUR * self._colour + COLOUR_MARGIN
        self._overlap, self._colour = max(self._overlap, look.overlap), min(self._colour, look.colour)
        return sound

    @property
    def has_hit(self) -> bool:
        """Whether any look so far has met the mask."""
        return self._overlap > 0

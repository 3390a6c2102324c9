"""The parts of `imavatar.build`."""

"""Names of methods that need a case of their own."""

IMAVATAR = "IMavatar"
TEXTURED_HEAD = "FLAME-mesh"
"""No avatar: see `textured_head`."""

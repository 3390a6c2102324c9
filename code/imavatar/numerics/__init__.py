"""Pure functions of tensors and callables: they know nothing of heads, rays or networks."""

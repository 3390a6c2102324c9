"""From the files of a subject to tensors; never imports a network."""

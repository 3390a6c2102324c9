"""Whether this project computes what the authors' implementation computed, on recorded inputs."""

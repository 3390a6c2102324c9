"""What users do with a subject: train an avatar, load it, score, animate, export and view it."""

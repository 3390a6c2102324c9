"""The paper's comparison, from data to report, as one resumable command (`scripts/reproduce.sh`)."""

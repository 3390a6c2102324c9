"""A seeded synthetic subject with exact parameters."""

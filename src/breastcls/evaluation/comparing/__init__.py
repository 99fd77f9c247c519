"""Models beside one another on the same cases."""

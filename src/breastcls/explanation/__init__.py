"""Explanation: heat-maps of what in an image speaks for a class, and the tests that such maps must pass."""

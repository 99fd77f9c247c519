"""Whole mounts: slides reassembled from their patches."""

"""The HTML viewer of explanations: a component for any page, and a page of its own."""

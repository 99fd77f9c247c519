"""Recipes: published projects, reproduced with their own split over images and with a split over cases."""

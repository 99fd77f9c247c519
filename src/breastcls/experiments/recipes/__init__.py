"""Recipes: published projects, reproduced with their own image-wise split and with a case-wise split."""

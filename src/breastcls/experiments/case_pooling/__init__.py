"""From the vectors of the images of a case to one prediction for the case: attention pooling, and the mean."""

"""From a model or its predictions to figures with intervals over cases."""

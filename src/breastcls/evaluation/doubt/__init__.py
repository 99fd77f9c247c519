"""When not to believe a model: uncertainty, strangers, abstaining."""

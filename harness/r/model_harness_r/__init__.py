"""Puts R functions behind `model_harness`: its front, with R processes in the function's place."""

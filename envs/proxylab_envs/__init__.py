"""Gymnasium environments in which the intended goal and a proxy come apart.

Importing the package registers the ids.
"""

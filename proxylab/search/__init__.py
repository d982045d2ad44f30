"""Searches over levels: which levels does an agent fail on?"""

"""Kinds of options that several verbs have."""

from typing import Literal

from tyro.conf import FlagCreatePairsOff

Flag = FlagCreatePairsOff[bool]
Device = Literal["auto", "cpu", "cuda"]

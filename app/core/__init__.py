"""Core: what every feature stands on.

Owns: no table. Called by: everyone. May call: settings.
Never: a feature.
"""

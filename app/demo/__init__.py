"""Demo: a catalogue composed in code, a history to go with it, and the main job run without a person.

Owns: no table. Called by: cli. May call: studio, orders, discovery and what stands below them.
Never: is imported by a feature.
"""

"""Wavecrate, the shop: one package per room, listed top to bottom in docs/architecture.md."""

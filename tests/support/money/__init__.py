"""A whole shop at the mercy of chance, and who counts its money.

`world` is the real shop on a database of its own with the payment sandbox beside it in one process; `timepiece` the
clock both go by; `points` finds every commit and every gateway call and can end the process there; `gateway` and
`carrier` are the lines to and from the gateway, and what befalls them; `people` what buyers, staff and banks do;
`books`, `truth` and `oracle` compare what the gateway holds with what the shop has given for it, without asking the
shop; `storm` is a long life at random. docs/money-proof.md says it at length.
"""

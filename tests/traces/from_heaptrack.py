#!/usr/bin/env python3
"""Turns what `heaptrack --raw -o NAME PROGRAM` wrote into heapwire's text form.

    zstd -dc NAME.raw.zst | from_heaptrack.py [EVENTS] > NAME.trace

heaptrack's clock has lines of 10 ms; the events between two of them are spread evenly. It does not tell
threads apart and writes a reallocation as a free and an allocation.
"""

import itertools
import sys


def main():
    most = int(sys.argv[1]) if len(sys.argv) > 1 else None
    nodes, events = itertools.count(1), 0
    waiting, last = [], 0

    def write_until(microseconds):
        step = (microseconds - last) / (len(waiting) + 1)
        for at, (line, event) in enumerate(waiting):
            if event:
                kind, rest = line
                print(kind, last + int(step * (at + 1)), 1, rest)
            else:
                print(line)
        waiting.clear()

    for line in sys.stdin:
        kind, *fields = line.split()
        if kind == "t":
            waiting.append((f"s {next(nodes)} {int(fields[1], 16)} {fields[0]}", False))
        elif kind == "+":
            size, stack, address = fields
            waiting.append((("a", f"{address} {int(size, 16)} {int(stack, 16)}"), True))
            events += 1
        elif kind == "-":
            waiting.append((("f", fields[0]), True))
            events += 1
        elif kind == "c":
            now = int(fields[0], 16) * 1000
            write_until(now)
            last = now
        if events == most:
            break
    write_until(last + 10_000)


main()

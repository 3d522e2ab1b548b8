#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Prints docs/verdicts.md from include/pintle/verdict.def.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

cat <<'HEAD'
# Verdicts

Made from `include/pintle/verdict.def` by `make docs`; do not edit.

Every packet that a program sees ends in exactly one verdict; the counts of one direction sum to the packets seen. `fwd` is client to
pod (XDP or TC ingress of an uplink), `rev` is pod to client. `pass` goes on through the stack, `drop` ends here, `redirect` leaves by
another device.

| number | verdict | direction | action | meaning |
|---|---|---|---|---|
HEAD
# One entry a line; anything else that looks like an entry is an error, so that none is lost.
awk '
/^PINTLE_VERDICT\(/ {
	if (!match($0, /^PINTLE_VERDICT\([A-Z0-9_]+, (FWD|REV), (PASS|DROP|REDIRECT), "[a-z0-9_]+", ".*"\)$/)) {
		print "verdict.def:" FNR ": not of the expected form" > "/dev/stderr"
		exit 1
	}
	split($0, part, "\"")
	split(part[1], head, /, /)
	printf "| %d | `%s` | %s | %s | %s |\n", ++n, part[2], tolower(head[2]), tolower(head[3]), part[4]
}
END { exit n == 0 }' include/pintle/verdict.def

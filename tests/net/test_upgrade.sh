#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Upgrades: programs are replaced in place under load without losing a packet, maps and flows stay.
# PT_SWAPS is the number of swaps at each of the two hooks: 250 for the whole 500, fewer in `make check` for the time that they take.
# timeout: 1800
# shellcheck disable=SC2317 # tests are called by name
. "$(dirname "$(readlink -f "$0")")/lib.sh"

SWAPS=${PT_SWAPS:-125}
RATE=400	# datagrams a second; well below what loses any without swaps
ROUND=10	# seconds

prog_ids()
{
	pt_pintle -o json status | jq -c '[.attachments[].prog_id]'
}

map_ids()
{
	local map
	for map in "$PT_PIN_DIR"/pt_*; do
		bpftool -j map show pinned "$map" | jq .id
	done
}

# One round of numbered datagrams and of streams, while "$@" goes on. The streams stay from before the first swap to after the last.
under_load()
{
	local load streams
	pt_load udp --target "$PT_VIP4:80" --rate $RATE --seconds $ROUND --connections 8 >"$PT_TMP/udp" &
	load=$!
	pt_load stream --target "$PT_VIP4:80" --connections 4 --seconds $ROUND >"$PT_TMP/stream" &
	streams=$!
	sleep 0.5
	while kill -0 $load 2>/dev/null; do
		"$@"
	done
	wait $load || {
		echo "the load ended with $?"
		return 1
	}
	wait $streams
	cat "$PT_TMP/udp" "$PT_TMP/stream"
}

swap()
{
	pt_pintle attach --hook "$PT_HOOK" dev "$PT_UPLINK" >/dev/null
	done_swaps=$((done_swaps + 1))
}

test_swaps()
{
	local done_swaps=0 before maps=''
	pt_up --pods 2
	pt_pods stream:tcp:8080 echo:udp:8080
	pt_config
	pt_pintle attach --hook "$PT_HOOK" -c "$PT_CONFIG" dev "$PT_UPLINK"
	under_load sleep 0.2
	# a machine that loses packets on its own can prove nothing
	pt_json "$PT_TMP/udp" '.lost == 0' || { echo "INVALID: the control without swaps lost datagrams" && exit 1; }
	maps=$(map_ids)
	while [ $done_swaps -lt "$SWAPS" ]; do
		before=$(prog_ids)
		under_load swap
		pt_json "$PT_TMP/udp" '.sent >= 3000' '.lost == 0'
		pt_json "$PT_TMP/stream" '.alive == 4' '.failed == {}' '.without_bytes == 0'
		assert "other programs than before" [ "$before" != "$(prog_ids)" ]
		echo "$done_swaps swaps so far"
	done
	assert "the same maps" [ "$maps" = "$(map_ids)" ]
}

# Killed at any moment, a swap leaves old and new programs on the same maps; the next one finishes it.
killed_swap()
{
	local ms=$((RANDOM % 300 + 50))
	in_ns node timeout -s KILL "0.$(printf %03d $ms)" "$PINTLE" --pin-dir "$PT_PIN_DIR" attach --hook "$PT_HOOK" "$PT_UPLINK" >/dev/null 2>&1 ||
		true
}

test_killed_swaps()
{
	pt_up --pods 2
	pt_pods stream:tcp:8080 echo:udp:8080
	pt_config
	pt_pintle attach --hook "$PT_HOOK" -c "$PT_CONFIG" dev "$PT_UPLINK"
	under_load killed_swap
	pt_json "$PT_TMP/udp" '.lost == 0'
	pt_json "$PT_TMP/stream" '.alive == 4' '.failed == {}' '.without_bytes == 0'
	pt_pintle attach --hook "$PT_HOOK" dev "$PT_UPLINK"
	assert "nothing half-done is left" [ -z "$(find "$PT_PIN_DIR" -name 'new_*' -o -name 'next_*')" ]
	pt_pintle -o json status | jq -e '.attachments | length == 2 and all(.alive)' >/dev/null
}

test_sizes_are_kept()
{
	local before
	pt_up --pods 1
	pt_pintle attach --flows 5000 --max-pods 100 --max-frontends 10 "$PT_UPLINK"
	before=$(pt_pintle -o json status | jq -c '[.maps[] | [.name, .entries]]')
	pt_pintle -o json attach --flows 100000 --max-pods 1000 "$PT_UPLINK" >"$PT_TMP/attach" 2>"$PT_TMP/said"
	pt_json "$PT_TMP/attach" '.maps == "kept"' '.sizes_kept | test("--flows 100000 asked for, the maps have room for 8192; --max-pods 1000")'
	grep -q -- '--max-pods 1000 asked for, the maps have room for 100; .*pintle detach' "$PT_TMP/said"
	# what is not asked for, or is so, is no word worth
	pt_pintle -o json attach --flows 8000 --max-pods 100 "$PT_UPLINK" >"$PT_TMP/attach" 2>"$PT_TMP/said"
	pt_json "$PT_TMP/attach" '.sizes_kept == null'
	[ ! -s "$PT_TMP/said" ]
	# the agent too
	pt_config
	pt_agent --max-frontends 11
	grep 'existing maps keep their sizes' "$PT_TMP/agent.log" | grep -q 'max-frontends 11 asked for, the maps have room for 10'
	assert "sizes are kept" [ "$before" = "$(pt_pintle -o json status | jq -c '[.maps[] | [.name, .entries]]')" ]
}

test_clsact_swaps()
{
	local done_swaps=0
	export PINTLE_TC=clsact PT_HOOK=tc
	pt_up --pods 2
	pt_pods stream:tcp:8080 echo:udp:8080
	pt_config
	pt_pintle attach --hook tc -c "$PT_CONFIG" dev "$PT_UPLINK"
	assert "by filters" [ "$(pt_pintle -o json status | jq '[.attachments[] | select(.by == "clsact filter" and .alive)] | length')" = 2 ]
	under_load swap
	echo "$done_swaps swaps"
	assert "some swaps" [ $done_swaps -gt 5 ]
	pt_json "$PT_TMP/udp" '.lost == 0'
	pt_json "$PT_TMP/stream" '.alive == 4' '.failed == {}' '.without_bytes == 0'
}

pt_test_hooks "$SWAPS swaps under load lose nothing" test_swaps
pt_test_hooks "swaps killed half way lose nothing" test_killed_swaps
pt_test "swaps of clsact filters lose nothing" test_clsact_swaps
pt_test "an upgrade keeps the sizes of the maps" test_sizes_are_kept
pt_done

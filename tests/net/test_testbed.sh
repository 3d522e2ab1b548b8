#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The testbed, the generator and the checks themselves, on kube-proxy's DNAT instead of pintle: what the other tests rely on.
# timeout: 120
# shellcheck disable=SC2317 # tests are called by name
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

namespaces()
{
	ip netns list | awk '{ print $1 }' | grep "^$1-" || true
}

test_leaves_nothing()
{
	local dir pid
	pt_up --pods 2 --v6
	dir=$PT_DIR
	pt_pods echo:tcp:9004
	pid=$PT_LAST
	assert "4 namespaces" [ "$(namespaces "$PT_TAG" | wc -l)" = 4 ]
	pt_down
	assert "no namespace" [ -z "$(namespaces "$PT_TAG")" ]
	assert "no directory" [ ! -e "$dir" ]
	assert "no process" [ ! -e "/proc/$pid/root" ]
}

# The moments of a kill are spread over the whole time that `up` takes.
test_killed_up()
{
	local tag=ptk$$ delay before
	before=$(find /run/netns -mindepth 1 2>/dev/null | grep -c "/$tag-" || true)
	for delay in 0.01 0.03 0.06 0.1 0.15 0.2; do
		timeout -s KILL "$delay" "$PT_TESTBED" up --tag "$tag" --v6 --pods 3 --forward kube || true
		"$PT_TESTBED" down --tag "$tag"
		assert "nothing left after $delay s" [ -z "$(namespaces "$tag")" ]
		assert "no state after $delay s" [ ! -e "/run/pintle-testbed/$tag" ]
	done
	assert "started from nothing" [ "$before" = 0 ]
	"$PT_TESTBED" down --tag "$tag"
}

test_refuses_foreign()
{
	local tag=ptf$$
	ip netns add "$tag-node"
	if "$PT_TESTBED" up --tag "$tag"; then
		ip netns del "$tag-node"
		return 1
	fi
	assert "the foreign namespace stays" ip netns del "$tag-node"
	assert "nothing of ours stays" [ -z "$(namespaces "$tag")" ]
}

test_paths() # testbed option...
{
	local vip
	pt_up --v6 --kube-svc "$@"
	pt_pods queue:tcp:8080 queue:udp:8080 stream:tcp:9001 count:tcp:9002
	for vip in "$PT_VIP4" "[$PT_VIP6]"; do
		pt_load run --target "$vip:80" --rate 200 --seconds 1 --body 20000 >"$PT_TMP/tcp"
		pt_json "$PT_TMP/tcp" '.ok == .requests' '.requests > 100' '(.requests_by_pod | length) == 3'
		pt_load run --target "$vip:80" --rate 200 --seconds 1 --udp --timeout-s 2 >"$PT_TMP/udp"
		pt_json "$PT_TMP/udp" '.ok == .requests' '(.requests_by_pod | length) == 3'
	done
	pt_load stream --target "$PT_POD2_IP4:9001" --connections 10 --seconds 1 >"$PT_TMP/stream"
	pt_json "$PT_TMP/stream" '.alive == 10' '.bytes > 500000' '.failed == {}' '.longest_gap_ms < 500'
	pt_load send --target "[$PT_POD3_IP6]:9002" --bytes 3000000 >"$PT_TMP/send"
	pt_json "$PT_TMP/send" '.ok'
	pt_no_bad_sums
}

test_udp_loss()
{
	pt_up --pods 1
	pt_pod 1 echo:udp:9000
	pt_load udp --target "$PT_POD1_IP4:9000" --rate 2000 --seconds 1 >"$PT_TMP/none"
	pt_json "$PT_TMP/none" '.sent == 2000' '.lost == 0' '.duplicates == 0' '.reordered == 0'
	in_ns node iptables -w -A FORWARD -p udp --dport 9000 -m statistic --mode nth --every 10 --packet 0 -j DROP
	pt_load udp --target "$PT_POD1_IP4:9000" --rate 2000 --seconds 1 >"$PT_TMP/some"
	pt_json "$PT_TMP/some" '.lost == 200' '.longest_loss == 1'
}

# Failures are counted by kind and stand above every latency.
test_failures()
{
	pt_up --pods 1 --kube-svc
	pt_pod 1 silent:tcp:8080 queue:tcp:8081
	pt_load run --target "$PT_POD1_IP4:7" --rate 100 --seconds 1 >"$PT_TMP/refused"
	pt_json "$PT_TMP/refused" '.failed.refused == .requests' '.p50_ms == null' '.mean_ms == null'
	pt_load run --target "$PT_VIP4:80" --rate 100 --seconds 1 --timeout-s 0.3 >"$PT_TMP/silent"
	pt_json "$PT_TMP/silent" '.failed.timeout == .requests' '.p50_ms == null'
	in_ns node iptables -w -A FORWARD -p tcp --dport 8081 -m statistic --mode nth --every 10 --packet 0 --syn -j REJECT --reject-with tcp-reset
	pt_load run --target "$PT_POD1_IP4:8081" --bursts 1 --burst-size 100 >"$PT_TMP/tenth"
	pt_json "$PT_TMP/tenth" '.failed.refused == 10' '.ok == 90' '.p50_ms != null' '.p95_ms == null'
}

# The generator does not wait for a stalled server: the stall is in the latency of every request that it delayed.
test_no_coordinated_omission()
{
	pt_up --pods 1
	pt_pod 1 queue:tcp:8080
	pt_load run --target "$PT_POD1_IP4:8080" --rate 200 --seconds 2 >"$PT_TMP/stalled" &
	local load=$!
	sleep 0.5
	kill -STOP "$PT_POD1_PID"
	sleep 1
	kill -CONT "$PT_POD1_PID"
	wait "$load"
	# about half of the requests arrived in the second of the stall and waited half a second on average
	pt_json "$PT_TMP/stalled" '.ok == .requests' '.mean_ms > 150' '.p95_ms > 700' '.start_lag_max_ms < 200'
}

# A replay of the choices of a real run must give its latencies.
test_replay()
{
	pt_up --kube-svc
	pt_pod 1 queue:tcp:8080 -- --base-ms 20 --seed 5
	pt_pod 2 queue:tcp:8080 -- --base-ms 50 --seed 5
	pt_pod 3 queue:tcp:8080 -- --base-ms 100 --seed 5 --concurrency 2
	"$PT_OUT/bench/load" arrivals --rate 25 --seconds 4 >"$PT_TMP/arrivals"
	pt_load run --target "$PT_VIP4:80" --arrivals "$PT_TMP/arrivals" --records "$PT_TMP/records" >"$PT_TMP/real"
	"$PT_OUT/bench/load" replay --arrivals "$PT_TMP/arrivals" --policy recorded --records "$PT_TMP/records" --seed 5 \
		--pod 1:20 --pod 2:50 --pod 3:100:2 >"$PT_TMP/replay"
	cat "$PT_TMP/real" "$PT_TMP/replay"
	jq -s -e '.[0].ok == .[0].requests and ([.[0].p50_ms / .[1].p50_ms, .[0].p99_ms / .[1].p99_ms, .[0].mean_ms / .[1].mean_ms]
		| all(. > 0.95 and . < 1.1))' "$PT_TMP/real" "$PT_TMP/replay"
}

# The same with pods whose speed changes and with work that belongs to the request; the replay is wrong when it does not know the speeds.
test_antagonist()
{
	local i start with=(--seed 5 --scale 0.5 --shared-draws)
	pt_up --kube-svc
	printf '0 1 1\n500000000 1 0.25\n1500000000 1 1\n700000000 2 0.6\n' >"$PT_TMP/speeds"
	"$PT_OUT/bench/load" arrivals --rate 60 --seconds 2.5 >"$PT_TMP/arrivals"
	start=$(($("$PT_OUT/bench/load" clock) + 1500000000))
	for i in 1 2 3; do
		pt_pod $i queue:tcp:8080 -- --base-ms 0 "${with[@]}" --concurrency 2 --speeds "$PT_TMP/speeds" --start-ns $start
	done
	pt_load run --target "$PT_VIP4:80" --arrivals "$PT_TMP/arrivals" --records "$PT_TMP/records" --start-ns $start >"$PT_TMP/real"
	for i in ignores knows; do
		"$PT_OUT/bench/load" replay --arrivals "$PT_TMP/arrivals" --policy recorded --records "$PT_TMP/records" "${with[@]}" \
			--pod 1:0:2 --pod 2:0:2 --pod 3:0:2 >"$PT_TMP/$i"
		with+=(--speeds "$PT_TMP/speeds")
	done
	cat "$PT_TMP/real" "$PT_TMP/ignores" "$PT_TMP/knows"
	jq -s -e '.[0].ok == .[0].requests and (["mean_ms", "p95_ms", "p99_ms"] as $names | [.[0][$names[]]] as $real | [.[1][$names[]]] as $ignores |
		[.[2][$names[]]] as $knows | ([range(3)] | all($real[.] / $knows[.] > 0.9 and $real[.] / $knows[.] < 1.15)) and $real[2] / $ignores[2] > 1.3)' \
		"$PT_TMP/real" "$PT_TMP/ignores" "$PT_TMP/knows"
}

# Prequal's choice by probes: the slow pod is left alone, every probe is answered, the choice is hardly ever blind.
test_prequal()
{
	local i at=()
	pt_up
	for i in 1 2 3; do
		pt_pod $i queue:tcp:8080 probe:udp:8081 -- --base-ms $((i == 3 ? 400 : 0)) --scale 0.2 --seed 5
		at+=(--pod-at "10.244.0.$((i + 1)):8080")
	done
	pt_load run "${at[@]}" --probe-port 8081 --rate 100 --seconds 2 >"$PT_TMP/out"
	pt_json "$PT_TMP/out" '.ok == .requests' '.probes_sent == 3 * .requests' '.probes_answered > 0.98 * .probes_sent' '.choices_blind < 0.15 * .requests' \
		'.requests_by_pod["3"] // 0 < 0.1 * .requests' '.requests_by_pod["1"] > 50' '.requests_by_pod["2"] > 50'
	kill "$PT_POD3_PID"
	wait "$PT_POD3_PID" || true
	pt_json "$PT_TMP/pod3.json" '.probes > 100'
}

# Wrong sums written on the way must be seen, or the check is worth nothing.
test_bad_sums_are_seen()
{
	pt_up --pods 1
	pt_pod 1 queue:tcp:8080 echo:udp:9000
	pt_no_bad_sums
	in_ns node nft add table ip wrong
	in_ns node nft add chain ip wrong forward '{ type filter hook forward priority 0; }'
	in_ns node nft add rule ip wrong forward ip daddr "$PT_POD1_IP4" udp dport 9000 udp checksum set 0x1234
	pt_load udp --target "$PT_POD1_IP4:9000" --rate 100 --seconds 1 >"$PT_TMP/udp"
	pt_json "$PT_TMP/udp" '.lost == 100'
	if pt_no_bad_sums; then
		echo "100 wrong sums were not seen"
		return 1
	fi
	assert "all were counted" [ "$(pt_counter pod1 UdpInCsumErrors)" = 100 ]
}

pt_test "down removes namespaces, pins and processes" test_leaves_nothing
pt_test "down cleans up after an up that was killed" test_killed_up
pt_test "up refuses namespaces of others" test_refuses_foreign
pt_test "routed pods, offloads off" test_paths --forward kube
pt_test "bridged pods, policy DROP, rp_filter" test_paths --shape bridge --forward drop-accept --rp-filter 1
pt_test "all offloads, GRO in the pods" test_paths --tx on --gro on --forward kube
pt_test "lost datagrams are counted" test_udp_loss
pt_test "failed requests are counted and never left out" test_failures
pt_test "a stalled server is seen by every request" test_no_coordinated_omission
pt_test "a replay of recorded choices gives the real latencies" test_replay
pt_test "pods whose speed changes do what the replay says" test_antagonist
pt_test "Prequal probes the pods and avoids the slow one" test_prequal
pt_test "wrong checksums are seen" test_bad_sums_are_seen
pt_done

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bridge: any address to any other, and what is said of what it carried.
load helper
bats_require_minimum_version 1.5.0

setup_file() { export PATH="$(dirname "${IPCWAY:-$BATS_TEST_DIRNAME/../../build/tool/ipcway}"):$PATH"; }

teardown() {
	"$IPCWAY" remove -f "$OTHER" 2>/dev/null || true
	for pid in "${job[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
	wait 2>/dev/null || true
	"$IPCWAY" remove -f "$QUEUE" 2>/dev/null || true
}

# A second queue, for this test only.
other_queue() { OTHER=mq+sysv:0x$(od -An -N4 -tx4 /dev/urandom | tr -d ' ' | sed 's/^0*/2/;s/^\(.\{8\}\).*/\1/'); }

messages() { awk -v key="$((${1#mq+sysv:}))" '$1 == key { print $5 }' /proc/sysvipc/msg; }
holds() { [ "$(messages "$1")" = "$2" ]; }

@test "socket to FIFO: every message, in order, boundaries kept" {
	start r "$IPCWAY" recv "$FIFO" --until-last --format len4be
	start b "$IPCWAY" bridge "$SOCKET" "$FIFO" --until-last
	run -0 ipcway wait "$SOCKET" --timeout 10s
	for i in {1..2000}; do printf 'message\n%d\0' "$i"; done >"$D/in"
	ipcway send "$SOCKET" --format nul <"$D/in"
	ended b 0
	ended r 0
	python3 - "$D/in" "$D/r.out" <<'PY'
import struct, sys
sent = open(sys.argv[1], "rb").read().split(b"\0")[:-1]
got = open(sys.argv[2], "rb").read()
expected = b"".join(struct.pack(">I", len(m)) + m for m in sent)
assert got == expected
PY
	is_in "carried 2000 messages, " "$(cat "$D/b.err")"
}

@test "a large message through a small pipe" {
	start r "$IPCWAY" recv "$FIFO" --until-last --format raw
	start b "$IPCWAY" bridge "$SOCKET" "$FIFO" --until-last
	run -0 ipcway wait "$SOCKET" --timeout 10s
	head -c 200000 /dev/urandom >"$D/in"
	ipcway send "$SOCKET" --format raw <"$D/in"
	ended b 0
	ended r 0
	cmp "$D/in" "$D/r.out"
}

@test "queue to queue keeps the types" {
	other_queue
	ipcway send "$QUEUE" --type 3 three
	ipcway send "$QUEUE" --type 1 one
	run -0 ipcway bridge "$QUEUE" "$OTHER" -n 2
	is_in "carried 2 messages" "$output"
	run -0 ipcway recv "$OTHER" --type -5 -n 2
	[ "$output" = $'one\nthree' ]
}

@test "a full TO holds the senders of FROM back: nothing is taken without room" {
	other_queue
	start b "$IPCWAY" bridge "$SOCKET" "$OTHER" -n 5000
	run -0 ipcway wait "$SOCKET" --timeout 10s
	seq 5000 >"$D/in"
	start s bash -c '"$0" send "$1" <"$2"' "$IPCWAY" "$SOCKET" "$D/in"
	until_ok bash -c '[ "$(awk -v k="$0" "\$1 == k { print \$4 }" /proc/sysvipc/msg)" -gt 1000 ]' "$((${OTHER#mq+sysv:}))"
	run -0 ipcway recv "$OTHER" -n 5000 --timeout 12s
	[ "$output" = "$(cat "$D/in")" ]
	ended s 0
	ended b 0
}

@test "Ctrl-C: what was taken is delivered, or its loss is said" {
	other_queue
	seq 20 | ipcway send "$QUEUE"
	start b env --default-signal=INT "$IPCWAY" bridge "$QUEUE" "$OTHER"
	until_ok holds "$OTHER" 20
	kill -INT "${job[b]}"
	ended b 130
	is_in "carried 20 messages" "$(cat "$D/b.err")"
	holds "$QUEUE" 0

	# now TO is full: at most one message is in hand, and told
	head -c 8000 /dev/zero | tr '\0' x >"$D/large"
	for i in {1..3}; do ipcway send "$QUEUE" --format raw <"$D/large" --timeout 0 || true; done
	had=$(messages "$QUEUE")
	while ipcway send "$OTHER" --format raw --timeout 0 <"$D/large" 2>/dev/null; do :; done
	start b env --default-signal=INT "$IPCWAY" bridge "$QUEUE" "$OTHER"
	until_ok holds "$QUEUE" $((had - 1))
	kill -INT "${job[b]}"
	ended b 130
	is_in "1 message was taken from $QUEUE and not delivered to $OTHER" "$(cat "$D/b.err")"
	is_in "carried 0 messages" "$(cat "$D/b.err")"
}

@test "a message that TO cannot carry ends the bridge, with the sizes" {
	other_queue
	start b "$IPCWAY" bridge "$SOCKET" "$OTHER"
	run -0 ipcway wait "$SOCKET" --timeout 10s
	ipcway send "$SOCKET" small
	head -c 100000 /dev/zero | ipcway send "$SOCKET" --format raw
	ended b 1
	is_in "may bring larger ones" "$(cat "$D/b.err")"
	is_in "100000" "$(cat "$D/b.err")"
	is_in "1 message was taken" "$(cat "$D/b.err")"
	is_in "carried 1 message, " "$(cat "$D/b.err")"
}

@test "--both: a conversation through the bridge" {
	start s "$IPCWAY" serve "unix+seqpacket:$D/back" -n 1 -- sed -u 's/^/you said /'
	run -0 ipcway wait "unix+seqpacket:$D/back" --timeout 10s
	start b "$IPCWAY" bridge --both "unix+seqpacket:$D/front" "unix+seqpacket:$D/back"
	run -0 ipcway wait "unix+seqpacket:$D/front" --timeout 10s
	run -0 --separate-stderr bash -c 'seq 3 | "$0" pair "$1" --dial' "$IPCWAY" "unix+seqpacket:$D/front"
	[ "$output" = $'you said 1\nyou said 2\nyou said 3' ]
	ended b 0
	ended s 0
	is_in "carried 3 messages, 3 B, from unix+seqpacket:$D/front" "$(cat "$D/b.err")"
	is_in "carried 3 messages, 30 B, from unix+seqpacket:$D/back" "$(cat "$D/b.err")"
	[ ! -e "$D/front" ]
}

@test "--both: the end of one way is passed on, and the answer to it comes back" {
	start s "$IPCWAY" serve "unix+seqpacket:$D/back" -n 1 -- tac
	run -0 ipcway wait "unix+seqpacket:$D/back" --timeout 10s
	start b "$IPCWAY" bridge --both "unix+seqpacket:$D/front" "unix+seqpacket:$D/back"
	run -0 ipcway wait "unix+seqpacket:$D/front" --timeout 10s
	run -0 --separate-stderr bash -c 'seq 3 | "$0" pair "$1" --dial' "$IPCWAY" "unix+seqpacket:$D/front"
	[ "$output" = $'3\n2\n1' ]
	ended b 0
	ended s 0
}

@test "--both is refused where an address goes one way" {
	run -1 ipcway bridge --both "$FIFO" "$SOCKET" --timeout 1s
	is_in "does not offer the role PAIR" "$output"
	run -1 ipcway bridge "lock:$D/lock" "$SOCKET" --timeout 1s
	is_in "carries no messages" "$output"
}

@test "TO that goes away ends the bridge, before anything more is taken" {
	start r "$IPCWAY" recv "unix+seqpacket:$D/to" -n 1
	run -0 ipcway wait "unix+seqpacket:$D/to" --timeout 10s
	start b "$IPCWAY" bridge "$QUEUE" "unix+seqpacket:$D/to"
	ipcway send "$QUEUE" one
	ended r 0
	ended b 1
	is_in "has gone" "$(cat "$D/b.err")"
	[[ $(cat "$D/b.err") != *"not delivered"* ]]
	ipcway send "$QUEUE" two
	holds "$QUEUE" 1
}

@test "TO that is not there yet is waited for, and FROM not touched meanwhile" {
	ipcway send "$QUEUE" kept
	run -124 ipcway bridge "$QUEUE" "$FIFO" --timeout 50ms
	holds "$QUEUE" 1
	run -2 ipcway bridge "$QUEUE"
}

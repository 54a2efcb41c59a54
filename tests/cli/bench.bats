#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# ipcway bench: what it takes and prints, and that nothing stays behind. That its figures are true is tests/bench/test_engine.c's business.
load helper
bats_require_minimum_version 1.5.0

bench() { TMPDIR=$D XDG_CACHE_HOME=$D/cache ipcway bench "$@"; }

# Of this run: its folder, and rings and queues named after its process.
nothing_left() {
	[ -z "$(ls -d "$D"/ipcway-bench-* 2>/dev/null)" ]
}

@test "bench: a table for each situation, a line for each way" {
	run -0 --separate-stderr bench --quick --raw --limits --rounds 1 --shape ping-pong,one-way --size 8,4K pipe: unix: 'shm:?size=256K'
	[ "$(grep -c '^WAY' <<<"$output")" = 5 ] # the reference has one of its own
	for line in 'pipe  default' 'pipe  tuned ' 'pipe  raw ' 'unix  raw ' 'shm   tuned '; do
		[ "$(grep -c "^$line" <<<"$output")" = 4 ] || { echo "$line: $output"; false; }
	done
	is_in 'shm:/NAME?size=256K' "$output"
	is_in 'shm  limit' "$output"
	is_in 'memcpy into shared memory and out of it' "$output"
	is_in '8 B, as fast as it goes, one way, sleeping, ' "$output"
	is_in '4.0 KiB, there and back' "$output"
	is_in ', 32 at once' "$output"
	[[ $output != *failed* ]]
	[ -z "$stderr" ]
	nothing_left
	[ ! -e "$D/cache/ipcway/bench" ] # it was not all
}

@test "bench: what is kept comes back, as JSON and as percentiles" {
	bench --quick --rounds 1 --shape rate --rate 2000 --place free --wait loop,polling -o "$D/kept" --json pipe: >"$D/json"
	"$JSON_CHECK" <"$D/json"
	[ "$(grep -c '"shape": "rate"' "$D/json")" = 4 ]
	[ "$(grep -c '"wait": "loop"' "$D/json")" = 2 ]
	is_in '"complete": false' "$(cat "$D/json")"
	bench --from "$D/kept" --json --hgrm "$D/percentiles" >"$D/again"
	diff "$D/json" "$D/again"
	[ "$(ls "$D/percentiles" | wc -l)" = 4 ]
	grep -q '^#\[Max ' "$D"/percentiles/000-pipe-default-rate-64-loop-free.hgrm
	bench --from "$D/kept" --html "$D/page.html" --svg "$D/pictures" >"$D/again"
	is_in "at a fixed rate" "$(cat "$D/page.html")"
	[ "$(ls "$D/pictures")" = "$(printf '%s\n' rate-loop-free{-cpu,}.svg rate-polling-free{-cpu,}.svg)" ]
	run -1 bench --from "$D/kept" --html "$D/none/page.html"
	is_in "No such file" "$output"
	run -0 bench --from "$D/kept"
	is_in "in an event loop, any core, 2000 a second" "$output"
	echo "ipcway-bench	99	complete" >"$D/kept"
	run -1 bench --from "$D/kept"
	is_in "another version" "$output"
	echo "nonsense" >"$D/kept"
	run -1 bench --from "$D/kept"
	is_in "line 1" "$output"
}

@test "bench: other libraries are modules beside the command, and need not be there" {
	cp "$IPCWAY" "$D/ipcway"
	IPCWAY=$D/ipcway run -0 bench --quick --peers --rounds 1 --shape ping-pong pipe:
	for library in libnng libzmq "Concurrency Kit" Boost; do is_in "$library; not here: built without $library" "$output"; done
	modules=$(dirname "$IPCWAY")/../bench/peers
	ls "$modules"/*.so >/dev/null 2>&1 || skip "none of them is installed here"
	run -0 bench --quick --peers --rounds 1 --shape ping-pong,one-way --wait sleeping,polling pipe:
	for module in "$modules"/*.so; do
		case $module in
		*nng.so) is_in "libnng: pair0 over ipc://" "$output" ;;
		*zmq.so) is_in "libzmq: REQ/REP" "$output" ;;
		*ck.so) is_in "Concurrency Kit: ck_ring" "$output" ;;
		*boost.so) is_in "Boost.Interprocess: message_queue" "$output" ;;
		esac
	done
	[[ $output != *failed* ]]
	nothing_left
	echo nonsense >"$D/ipcway-bench-nng.so"
	IPCWAY=$D/ipcway run -0 bench --quick --peers --rounds 1 --shape ping-pong pipe:
	is_in "libnng; not here: $D/ipcway-bench-nng.so" "$output"
}

@test "bench: a library that runs anywhere stands with the ways it was measured beside, and hides no other table" {
	bench --quick --rounds 1 --shape ping-pong --place other-core,same-core -o "$D/kept" pipe: >/dev/null
	awk -F'\t' -v OFS='\t' '
		$1 == "end" { $2 += 2 }
		{ print }
		$1 == "cell" && $4 == "tuned" { $3 = "libother"; $4 = "peer"; $7 = "free"; print }' "$D/kept" >"$D/with"
	run -0 bench --from "$D/with"
	[ "$(grep -c 'there and back' <<<"$output")" = 2 ]
	[ "$(sed -n '/other core$/,/same core$/p' <<<"$output" | grep -c 'peer .*libother, on any core')" = 1 ]
	[ "$(grep -c 'peer .*libother, on any core' <<<"$output")" = 2 ]
	[ "$(grep -c '^pipe  default' <<<"$output")" = 2 ]
}

@test "bench: what a way cannot do is a line, not an error" {
	run -0 bench --quick --rounds 1 --shape one-way --size 1M --senders 2 pipe: mq: unix+dgram:
	is_in "pipe:; not here: without a name it is between two processes" "$output"
	is_in "mq:/NAME; not here: " "$output"
	is_in "unix+dgram:PATH; not here: messages are at most" "$output"
}

@test "bench: wrong usage" {
	run -2 bench shmm:
	is_in "did you mean shm:" "$output"
	run -2 bench timer:
	is_in "carries no messages" "$output"
	run -2 bench 'pipe:?sise=1'
	is_in "it knows: framing" "$output"
	run -2 bench --size 4
	is_in "8 to 4M" "$output"
	run -2 bench --wait often
	is_in "polling, sleeping, loop" "$output"
	run -2 bench --senders 99
	run -2 bench --senders 2 --shape ping-pong
	is_in "between two" "$output"
	run -1 bench --from "$D/none"
	is_in "No such file" "$output"
	run -1 bench --quick --dir "$D/none" pipe:
	is_in "--dir" "$output"
}

played() { [ -n "$(ls "$D"/ipcway-bench-*/*/stream 2>/dev/null)" ]; }

@test "bench: a signal leaves nothing behind, nor does none" {
	TMPDIR=$D start one setsid "$IPCWAY" bench --rounds 101 --shape ping-pong unix:
	until_ok played
	kill -TERM -- "-${job[one]}" # all of them, as a terminal does with INT, which is ignored in the background
	ended one 143
	nothing_left
	[ ! -s "$D/one.out" ]
	TMPDIR=$D start two setsid "$IPCWAY" bench --rounds 101 --shape ping-pong unix:
	until_ok played
	kill -KILL "${job[two]}"
	wait "${job[two]}" || true
	until_ok eval '! played' # those it had started see to it; the empty folder is what it could not take away itself
}

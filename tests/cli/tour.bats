#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load helper
bats_require_minimum_version 1.5.0

objects() { { awk 'FNR > 1 { print FILENAME, $2 }' /proc/sysvipc/msg /proc/sysvipc/shm /proc/sysvipc/sem; ls -A /dev/shm /dev/mqueue 2>/dev/null; } | sort; }

# Others on this machine make objects too, and remove them; one that the tour has left would stay. $1: those before, $2: those right after.
all_gone() { [ -z "$(comm -12 <(comm -13 <(echo "$1") <(echo "$2")) <(objects))" ]; }

# For TMPDIR: bats' own may be too long for a socket in it, and the tour then takes /tmp. teardown() removes it.
short_folder() { SHORT=$(mktemp -d /tmp/t.XXXXXX); }

@test "the tour passes, fits its columns and leaves nothing behind" {
	before=$(objects)
	short_folder
	run -0 env TMPDIR="$SHORT" timeout 110 "$IPCWAY" tour
	after=$(objects)
	for word in pipe fifo unix+seqpacket mq+sysv "GOOD FOR" "sender killed with -9" "receiver killed with -9" "compares where it lies" "holder killed with -9" "real-time ones sent and received" "was stopped, went on and was killed" "10 ticks" "0 failed"; do is_in "$word" "$output"; done
	rmdir "$SHORT"
	until_ok all_gone "$before" "$after"
	while IFS= read -r line; do [ ${#line} -le 100 ] || { echo "too wide: $line"; return 1; }; done <<<"$output"
	[[ $output != *$'\033'* ]]
}

@test "a file of one's own, as JSON" {
	head -c 100001 /dev/urandom >"$D/file"
	run -0 timeout 110 "$IPCWAY" tour "$D/file" --json
	[ "$("$JSON_CHECK" file_bytes <<<"$output")" = 100001 ]
	[ "$("$JSON_CHECK" failed <<<"$output")" = 0 ]
	[ "$("$JSON_CHECK" events standard_signals <<<"$output")" = 23 ]
	[ "$("$JSON_CHECK" events real_time_signals <<<"$output")" = 31 ]
	passes=$("$JSON_CHECK" passes <<<"$output")
	[ "$("$JSON_CHECK" ways 0 moved_bytes <<<"$output")" = $((100001 * passes)) ]
	[ "$("$JSON_CHECK" ways 0 round_trip_p50_ns <<<"$output")" -gt 0 ]
	[ "$("$JSON_CHECK" ways 0 sender_killed arrived <<<"$output")" -ge 1 ]
	[ "$("$JSON_CHECK" ways 0 receiver_killed sender_told <<<"$output")" = true ]
	[ "$("$JSON_CHECK" segments 0 bytes <<<"$output")" = $((100001 * passes)) ]
	[ "$("$JSON_CHECK" gates 0 passed <<<"$output")" -ge 100 ]
	[ "$("$JSON_CHECK" gates 0 hand_over_p50_ns <<<"$output")" -gt 0 ]
}

@test "a file that is none, or empty" {
	run -1 ipcway tour "$D/none"
	is_in "$D/none" "$output"
	: >"$D/empty"
	run -1 ipcway tour "$D/empty"
	is_in "empty" "$output"
	run -2 ipcway tour a b
}

@test "Ctrl-C leaves nothing behind" {
	before=$(objects)
	short_folder
	truncate -s 1G "$D/large" # so that it is not over before it is stopped
	start t env --default-signal=INT TMPDIR="$SHORT" "$IPCWAY" tour "$D/large"
	until_ok bash -c '[ -n "$(ls "$0")" ]' "$SHORT"
	kill -INT "${job[@]}"
	ended t 130
	after=$(objects)
	rmdir "$SHORT"
	until_ok all_gone "$before" "$after"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load helper
bats_require_minimum_version 1.5.0

@test "mechanisms: a table of all, JSON of all" {
	run -0 ipcway mechanisms
	for word in "ADDRESS" "GOOD FOR" "pipe:" "fifo:PATH" "unix+seqpacket:" "mq+sysv:"; do is_in "$word" "$output"; done
	run -0 ipcway mechanisms --json
	[ "$("$JSON_CHECK" mechanisms 0 scheme <<<"$output")" = pipe ]
	[ "$("$JSON_CHECK" mechanisms 0 shape <<<"$output")" = stream ]
}

@test "mechanisms NAME: its options, each in the words of the library" {
	run -0 ipcway mechanisms fifo
	for word in OPTION VALUES MEANING framing until mode 0600; do is_in "$word" "$output"; done
	run -0 ipcway mechanisms mq+sysv: --json
	[ "$("$JSON_CHECK" scheme <<<"$output")" = mq+sysv ]
	[ "$("$JSON_CHECK" shape <<<"$output")" = record ]
	run -2 ipcway mechanisms fivo
	is_in "did you mean fifo" "$output"
}

@test "describe: what holds, what does not, and who sets the limits" {
	run -0 ipcway describe "$QUEUE"
	is_in "there is no other side to miss" "$output"
	is_in "/proc/sys/kernel/msgmax" "$output"
	is_in "survives" "$output"
	run -0 ipcway describe "$FIFO"
	is_in "pipe-max-size" "$output"
	[ ! -e "$D/fifo" ]
	run -0 ipcway describe "file:$D/lines"
	is_in "every receiver gets every message" "$output"
	is_in "stays in the file" "$output"
}

@test "describe --json" {
	run -0 ipcway describe "$FIFO" --json
	[ "$("$JSON_CHECK" mechanism <<<"$output")" = fifo ]
	[ "$("$JSON_CHECK" holds reliable <<<"$output")" = true ]
	[ "$("$JSON_CHECK" numbers max_msg <<<"$output")" -gt 4096 ]
	run -0 ipcway describe "$QUEUE" --json
	[ "$("$JSON_CHECK" holds ends <<<"$output")" = false ]
	[ "$("$JSON_CHECK" limits 0 value <<<"$output")" = "$(cat /proc/sys/kernel/msgmax)" ]
}

@test "describe: an option changes what is said; a bad address is status 2" {
	run -0 ipcway describe "$FIFO" -O framing=line --json
	is_in line "$("$JSON_CHECK" stack <<<"$output")"
	run -2 ipcway describe "$FIFO" -O framing=morse
	is_in "allowed" "$output"
	run -2 ipcway describe
}

# $1, of the ring in $RING
ring() { "$JSON_CHECK" ring "$@" <<<"$(ipcway describe "$RING" --json)"; }

@test "describe a ring: who uses it, what waits, what the dead left; and it changes nothing" {
	for RING in "shm:/ipcway-bats-$$-$BATS_TEST_NUMBER" "shm+file:$D/ring" "shm+sysv:$KEY"; do
		run -0 ipcway describe "$RING"
		[[ $output != *"There is a ring"* ]]
		[[ $(ipcway describe "$RING" --json) != *'"ring"'* ]]
		start holder "$IPCWAY" recv "$RING?keep=1" -n 2
		until_ok eval '[ "$(ring users 0 awaits 0)" = message ]'
		run -0 ipcway describe "$RING"
		for word in "There is a ring of" "owner     $(id -un)" "mode 0600" "many senders, many receivers" "by process ${job[holder]}" \
			"holds     0 of 1048576" "${job[holder]}  ipcway   receives" alive "its lock is held"; do is_in "$word" "$output"; done
		[[ $output =~ \((just\ now|[0-9]+\ (second|minute)s?\ ago)\)\ by\ process ]]
		[ "$(ring users 0 pid)" = "${job[holder]}" ]
		[ "$(ring maker)" = "${job[holder]}" ]
		kill -STOP "${job[holder]}"
		until_ok eval '[ "$(ring users 0 state)" = stopped ]'
		run -0 ipcway send "$RING" hello
		[ "$(ring fill 0)" = 16 ]
		kill -KILL "${job[holder]}"
		wait "${job[holder]}" || true
		[ "$(ring users 0 state)" = dead ]
		is_in "process ${job[holder]}, which is dead" "$(ring stale 0)"
		is_in "nobody uses it" "$(ring stale 1)"
		run -0 ipcway recv "$RING" -n 1
		[ "$output" = hello ]
		run -0 ipcway describe "$RING"
		is_in "users     none" "$output"
		[[ $output != *stale* ]]
		run -0 ipcway remove "$RING"
	done
}

@test "describe what is no ring, and what is a broken one" {
	RING=shm+file:$D/ring
	run -0 ipcway segment create "$RING" --size 64K
	run -0 ipcway describe "$RING"
	[[ $output != *"There is a ring"* ]]
	printf 'ipcring\n' >"$D/ring"
	truncate -s 64K "$D/ring"
	run -1 ipcway describe "$RING"
	is_in "broken    it was made on a machine with another byte order" "$output"
	run -1 ipcway describe "$RING" --json
	is_in "byte order" "$("$JSON_CHECK" ring broken <<<"$output")"
	ln -s ring "$D/link"
	run -1 ipcway describe "shm+file:$D/link"
	is_in "symbolic link" "$output"
}

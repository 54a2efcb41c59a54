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

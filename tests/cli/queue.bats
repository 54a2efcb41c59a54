#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# send and recv over a System V queue: records with types, no peers, no end.
load helper
bats_require_minimum_version 1.5.0

@test "messages wait in the queue; types are given and chosen" {
	ipcway send "$QUEUE" --type 2 two
	ipcway send "$QUEUE" --type 1 one
	ipcway send "$QUEUE" --type 3 three
	[ "$(ipcway recv "$QUEUE" -n 1 --type 3)" = three ]
	[ "$(ipcway recv "$QUEUE" -n 2 --type -9)" = $'one\ntwo' ]
	run -124 ipcway recv "$QUEUE" --timeout 0
}

@test "JSON carries the type both ways" {
	printf '{"data":"x","type":7}\n' | ipcway send "$QUEUE" --json
	run -0 ipcway recv "$QUEUE" -n 1 --format json
	[ "$("$JSON_CHECK" type <<<"$output")" = 7 ]
	[ "$("$JSON_CHECK" data <<<"$output")" = x ]
}

@test "--idle 0 takes what is there" {
	seq 5 | ipcway send "$QUEUE"
	[ "$(ipcway recv "$QUEUE" --idle 0)" = "$(seq 5)" ]
}

@test "a file needs to be told when it ends" {
	run -2 ipcway recv "$QUEUE" --file "$D/copy"
	is_in "--idle" "$output"
	start r "$IPCWAY" recv "$QUEUE" --file "$D/copy" --idle 500ms
	ipcway send "$QUEUE" --file "$IPCWAY"
	ended r 0
	cmp "$IPCWAY" "$D/copy"
}

@test "too long a message is refused with the limit, and nothing of it is sent" {
	run -1 ipcway send "$QUEUE" --format raw < <(head -c 10000000 /dev/zero)
	is_in "--file" "$output"
	run -124 ipcway recv "$QUEUE" --timeout 0
}

@test "remove: once, not twice, -f" {
	ipcway send "$QUEUE" x
	run -0 ipcway remove "$QUEUE"
	run -1 ipcway remove "$QUEUE"
	[[ $output == ipcway:* ]]
	run -0 ipcway remove -f "$QUEUE"
	run -2 ipcway remove
}

@test "remove takes several, and goes on after a failure" {
	mkfifo "$D/a" "$D/b"
	run -1 ipcway remove "fifo:$D/a" "fifo:$D/none" "fifo:$D/b"
	[ ! -e "$D/a" ]
	[ ! -e "$D/b" ]
	run -1 ipcway remove pipe:
	is_in "no name" "$output"
}

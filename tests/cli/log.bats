#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A durable log from the shell: writers and readers that never meet, the format as other programs read it.
bats_require_minimum_version 1.5.0
load helper

setup_file() { command -v python3 >/dev/null || skip "no python3"; }

@test "what is said today is read tomorrow, by everybody" {
	ipcway pub "log:$D/log?ack=disk" one two
	ipcway pub "log:$D/log" three
	for i in 1 2; do
		run -0 ipcway sub "log:$D/log" -n 3
		[ "$output" = $'one\ntwo\nthree' ]
	done
	run -0 ipcway sub "log:$D/log?from=2" -n 1
	[ "$output" = two ]
	run -0 ipcway remove "log:$D/log"
	[ ! -e "$D/log" ]
}

@test "a reader that follows gets what comes" {
	start reader ipcway sub "log:$D/log" -n 3
	until_ok test -e "$D/log/control"
	ipcway pub "log:$D/log" one two three
	ended reader 0
	[ "$(cat "$D/reader.out")" = $'one\ntwo\nthree' ]
}

@test "other programs can read it by the manual" {
	seq 1 2000 | ipcway pub "log:$D/log?segment=8K"
	run -0 python3 "$BATS_TEST_DIRNAME/read_log.py" "$D/log"
	[ "$output" = "$(seq 1 2000 | sed 's/.*/& &/')" ]
	[ "$(ls "$D/log" | wc -l)" -gt 4 ]
}

@test "damage is told with its place, and passed over only if asked" {
	ipcway pub "log:$D/log" one two three
	printf X | dd of="$D/log/00000000000000000001.log" bs=1 seek=99 conv=notrunc status=none
	run -1 ipcway sub "log:$D/log" -n 3
	is_in "damaged at byte 83, where record 2" "$output"
	run -0 ipcway sub "log:$D/log?damage=skip" -n 2
	is_in three "$output"
}

@test "what a killed writer left half written is cut off, and told" {
	ipcway pub "log:$D/log" one two
	truncate -s -1 "$D/log/00000000000000000001.log"
	run -0 --separate-stderr ipcway sub "log:$D/log" --idle 0
	[ "$output" = one ]
	run -0 ipcway pub "log:$D/log" three
	is_in "left its last record half written; that was cut off" "$output"
	run -0 ipcway pub "log:$D/log" four
	[ -z "$output" ]
	run -0 ipcway log dump "$D/log"
	[ "$output" = $'1\t3\tone\n2\t5\tthree\n3\t4\tfour' ]
}

@test "check, dump and repair" {
	seq 1 2000 | ipcway pub "log:$D/log?segment=8K"
	run -0 ipcway log check "$D/log"
	[ "$output" = "records 1 to 2000: 2000 whole, 6893 bytes" ]
	first=$(ls "$D"/log/*.log | head -1) third=$(ls "$D"/log/*.log | sed -n 3p)
	printf X | dd of="$first" bs=1 seek=90 conv=notrunc status=none
	printf X | dd of="$first" bs=1 seek=500 conv=notrunc status=none
	truncate -s -16 "$third" # its seal
	run -1 ipcway describe "log:$D/log?ack=disk"
	is_in "2000: 1998 whole, " "$output"
	run -0 ipcway describe "log:$D/nothing"
	run -1 ipcway log check "log:$D/log"
	is_in "2000: 1998 whole, " "$output"
	is_in "; 3 damaged places, 2 records missing" "$output"
	[ "$(grep -c "damaged at byte" <<<"$output")" = 3 ]
	run -1 ipcway log dump "$D/log"
	run -0 ipcway log repair "$D/log" "$D/copy"
	[ "$output" = "1998 records copied with their numbers, 2 missing" ]
	run -0 ipcway log check "$D/copy"
	[ "$output" = "records 1 to 2000: 1998 whole, $((6893 - 3)) bytes; 0 damaged places, 2 records missing" ]
	run -0 ipcway sub "log:$D/copy?from=1999" -n 2
	[ "$output" = $'1999\n2000' ]
	run -0 python3 "$BATS_TEST_DIRNAME/read_log.py" "$D/copy"
	[ "${#lines[@]}" = 1998 ]
	run -1 ipcway log repair "$D/log" "$D/copy"
	is_in "is there already" "$output"
	run -2 ipcway log mend "$D/log"
	run -1 ipcway log check "$D/nothing"
}

@test "receivers share a position, and what one leaves another gets" {
	seq 1 6 | ipcway send "log:$D/log"
	run -0 ipcway recv "log:$D/log?share=jobs&ack=consumer" -n 2
	[ "$output" = $'1\n2' ]
	run -1 ipcway recv "log:$D/log?share=jobs&ack=consumer" -n 3 --exec 'grep -v 4'
	[ "$output" = $'3\n5' ]
	run -0 ipcway log check "$D/log"
	is_in "share jobs: next is 6, 1 in hand, 1 to come:" "$output"
	is_in "4: left by a receiver that has ended" "$output"
	run -0 ipcway log dump "$D/log?from=5"
	[ "${lines[0]}" = $'5\t1\t5' ]
	is_in $'-\t-\tshare jobs: next is 6, 1 in hand' "$output"
	run -0 python3 "$BATS_TEST_DIRNAME/read_log.py" "$D/log" jobs
	is_in "jobs: next 6, in hand [4]" "$output"
	run -0 ipcway recv "log:$D/log?share=jobs&ack=consumer" --idle 0 --exec 'grep .'
	[ "$output" = $'4\n6' ]
	run -0 python3 "$BATS_TEST_DIRNAME/read_log.py" "$D/log" jobs
	is_in "jobs: next 7, all done" "$output"
	run -0 ipcway recv "log:$D/log?share=other" --idle 0
	[ "${#lines[@]}" = 6 ]
	printf X | dd of="$D/log/jobs.share" bs=1 seek=20 conv=notrunc status=none
	printf X | dd of="$D/log/jobs.share" bs=1 seek=$((4096 + 20)) conv=notrunc status=none
	run -1 ipcway log check "$D/log"
	is_in "share jobs: its position is damaged" "$output"
	[ "$(ipcway log check --json "$D/log" | "$JSON_CHECK" shares 0 wrong)" = "its position is damaged" ]
	run -1 ipcway recv "log:$D/log?share=jobs" --idle 0
	is_in "forgets it" "$output"
	run -0 ipcway remove "log:$D/log?share=jobs"
	[ ! -e "$D/log/jobs.share" ]
	run -1 ipcway remove "log:$D/log?share=jobs"
	run -1 ipcway pub "log:$D/log?ack=consumer" x
	is_in "for receivers that share a position" "$output"
}

@test "positions as JSON: what comes next, what is in hand, does its receiver live" {
	seq 1 5 | ipcway send "log:$D/log"
	ipcway recv "log:$D/log?share=jobs&ack=consumer" -n 1 --exec false || :
	start holder ipcway recv "log:$D/log?share=jobs&ack=consumer" -n 2 --exec 'read -r n; [ "$n" = 1 ] || sleep 60'
	until_ok eval '[ "$(ipcway log check --json "$D/log" | "$JSON_CHECK" shares 0 next)" = 3 ]' 2>/dev/null
	run -0 ipcway describe --json "log:$D/log"
	[ "$("$JSON_CHECK" log last <<<"$output")" = 5 ]
	[ "$("$JSON_CHECK" log shares 0 share <<<"$output")" = jobs ]
	[ "$("$JSON_CHECK" log shares 0 to_come <<<"$output")" = 3 ]
	[ "$("$JSON_CHECK" log shares 0 in_hand 0 token <<<"$output")" = 2 ]
	[ "$("$JSON_CHECK" log shares 0 in_hand 0 alive <<<"$output")" = true ]
	kill -KILL "$("$JSON_CHECK" log shares 0 in_hand 0 process <<<"$output")"
	ended holder 137
	run -0 ipcway log dump --json "$D/log"
	[ "${#lines[@]}" = 6 ]
	[ "$("$JSON_CHECK" token <<<"${lines[4]}")" = 5 ]
	[ "$("$JSON_CHECK" in_hand 0 alive <<<"${lines[5]}")" = false ]
	run -0 ipcway recv "log:$D/log?share=jobs&ack=consumer" -n 1 --format json
	[ "$("$JSON_CHECK" again <<<"$output")" = true ]
	run -2 ipcway log repair --json "$D/log" "$D/copy"
}

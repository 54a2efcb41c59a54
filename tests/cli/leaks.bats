#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# ipcway leaks: the words, the statuses, what it is asked for. What is a leak and what is none, test_leak says.
load helper
bats_require_minimum_version 1.5.0

# A reader that can write to its pipe itself, beside a writer.
forget() {
	mkfifo "$D/pipe"
	start writer sh -c 'exec sleep 60 >"$1"' - "$D/pipe"
	start reader bash -c 'exec 5<"$1" 6>"$1"; rm "$1"; exec cat <&5' - "$D/pipe"
	leaks() { ! ipcway leaks "$@" >/dev/null 2>&1; }
	until_ok leaks "${job[reader]}"
}

@test "leaks: who has the other end itself, by process and by address" {
	forget
	run -1 --separate-stderr ipcway leaks "${job[reader]}"
	[[ ${lines[0]} == "likely: ${job[reader]} (cat) waits in read(2) on descriptor 0, fifo:["*"has the end to write to open itself, descriptor 6" ]]
	is_in "helps    ${job[reader]} should close descriptor 6" "$output"
	address="fifo:[$(stat -Lc %i "/proc/${job[reader]}/fd/5")]"
	run -1 --separate-stderr ipcway leaks "$address"
	is_in "likely: ${job[reader]} (cat)" "$output"
	run -0 --separate-stderr ipcway leaks $$ "shm:/ipcway-bats-none"
	[ "$output" = "no leak there" ]
	run -1 --separate-stderr ipcway leaks
	is_in "likely: ${job[reader]} (cat)" "$output"
	is_in "memory without a name:" "$output"
	ipcway leaks --json "${job[reader]}" >"$D/json" 2>/dev/null || [ $? = 1 ]
	cat "$D/json"
	[ "$("$JSON_CHECK" leak <"$D/json")" = end ]
	[ "$("$JSON_CHECK" waits <"$D/json")" = "${job[reader]}" ]
	[ "$("$JSON_CHECK" fd <"$D/json")" = 6 ]
}

@test "leaks: deleted memory with its size, whose it is, and the sum" {
	exec 7<>"/dev/shm$SEM"
	head -c 20000 /dev/zero >&7
	rm "/dev/shm$SEM"
	inode=$(stat -Lc %i /proc/$$/fd/7)
	run -0 --separate-stderr ipcway leaks "shm:[$inode]"
	is_in "was deleted, and is in use by" "$output"
	is_in "$$ (bash" "$output"
	is_in ": 20000 bytes" "$output"
	is_in "many programs remove the name at once" "$output"
	run --separate-stderr ipcway leaks
	is_in "possible: shm:[$inode]" "$output"
	[[ ${lines[-1]} =~ ^"memory without a name: ".*" in "[1-9][0-9]*" deleted files, " ]]
	exec 7<&-
	run -0 --separate-stderr ipcway leaks "shm:[$inode]"
	[ "$output" = "no leak there" ]
}

@test "leaks: wrong words" {
	run -2 ipcway leaks nonsense
	run -2 ipcway leaks 0
	is_in "no process number" "$output"
	run -2 ipcway leaks 2147483646
	is_in "there is no process" "$output"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load helper
bats_require_minimum_version 1.5.0

@test "help is grouped and names every command" {
	run -0 ipcway help
	for word in Talk Share Turns "Be told" Fix Measure Learn send recv pair accept serve wait bridge run segment lock sem signal remove log bench mechanisms describe tour help; do is_in "$word" "$output"; done
	run -0 ipcway --help
	is_in "usage: ipcway" "$output"
}

@test "without a command: usage on stderr, status 2" {
	run -2 --separate-stderr ipcway
	[ -z "$output" ]
	is_in "usage: ipcway" "$stderr"
}

@test "help COMMAND and COMMAND --help are the same, and name the options" {
	for c in send recv pair accept serve wait bridge run segment lock sem signal remove log bench mechanisms describe tour; do
		run -0 ipcway help $c
		is_in "usage: ipcway $c" "$output"
		[ "$output" = "$(ipcway $c --help)" ]
	done
	is_in "--strict" "$output"
}

@test "--version" {
	run -0 ipcway --version
	[[ $output =~ ^ipcway\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "an unknown command suggests the nearest" {
	run -2 ipcway sned
	is_in "did you mean: ipcway send" "$output"
	run -2 ipcway mech
	is_in "did you mean: ipcway mechanisms" "$output"
	run -2 ipcway qqqqqq
	is_in "ipcway help" "$output"
	run -2 ipcway help resv
	is_in "did you mean: ipcway recv" "$output"
}

@test "an unknown option suggests the nearest, a bad value says what is allowed" {
	run -2 ipcway send --fromat line "$FIFO"
	is_in "did you mean --format" "$output"
	run -2 ipcway send --format csv "$FIFO"
	is_in "line|nul|raw|len4be" "$output"
	run -2 ipcway recv --timeout soon "$FIFO"
	is_in "500ms" "$output"
	run -2 ipcway recv "$FIFO" -n
	is_in "needs a value" "$output"
	run -2 ipcway recv "$FIFO" -n 0
	is_in "1 or more" "$output"
}

@test "a path without a mechanism is refused with a suggestion" {
	run -2 ipcway send /tmp/x hello
	is_in "did you mean \"fifo:/tmp/x\"" "$output"
	run -2 ipcway recv orders
	is_in "did you mean \"fifo:./orders\"" "$output"
	run -2 ipcway recv fito:/tmp/x
	is_in "did you mean \"fifo:/tmp/x\"" "$output"
}

@test "no address, two sides, an option that does not exist" {
	run -2 ipcway send
	run -2 ipcway recv "$SOCKET" --listen --dial
	is_in "exclude" "$output"
	run -2 ipcway recv "$FIFO" -O colour=red
	is_in "has no option 'colour'" "$output"
	run -2 ipcway recv "$FIFO" -O framing
	is_in "needs a value" "$output"
}

@test "\"-\" without an end given says what it means" {
	run -2 env -u IPCWAY_ADDR "$IPCWAY" recv -
	is_in "IPCWAY_ADDR" "$output"
}

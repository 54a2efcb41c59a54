#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What `ipcway complete` knows, and what the shells make of it.
load helper
bats_require_minimum_version 1.5.0

setup_file() { export PATH="$(dirname "${IPCWAY:-$BATS_TEST_DIRNAME/../../build/tool/ipcway}"):$PATH"; }

scripts=$BATS_TEST_DIRNAME/../../completions

has_line() { grep -qxF -- "$1" <<<"$output" || { echo "no line \"$1\" in: $output"; return 1; }; }

# What bash would show for the line given, by the words it would cut it into.
in_bash() {
	bash -c 'source "$1/ipcway.bash"
		COMP_LINE=$2 COMP_POINT=${#2}
		_ipcway
		printf "%s\n" "${COMPREPLY[@]}"' - "$scripts" "$1"
}

@test "commands, their options, the words of an option" {
	run -0 ipcway complete -- ""
	for word in send recv pair serve bridge wait tour help push sub; do has_line $word; done
	[[ $output != *complete* ]]
	run -0 ipcway complete -- des
	[ "$output" = describe ]
	run -0 ipcway complete -- send --fo
	[ "$output" = --format ]
	run -0 ipcway complete -- push --fo
	[ "$output" = --format ]
	run -0 ipcway complete -- recv --format l
	[ "$output" = $'line\nlen4be' ]
	run -0 ipcway complete -- recv --format=h
	[ "$output" = --format=hex ]
	run -0 ipcway complete -- help de
	[ "$output" = describe ]
	run -0 ipcway complete -- nonsense ""
	[ -z "$output" ]
	run -0 ipcway complete
	[ -z "$output" ]
}

@test "every option that help lists" {
	for c in send recv pair accept serve wait bridge run lock sem remove mechanisms describe tour; do
		run -0 ipcway complete -- $c -
		for option in $(ipcway help $c | sed -n 's/^ *\(-., \)\?\(--*[a-zA-Z-]*\).*/\2/p'); do has_line "$option"; done
	done
}

@test "schemes, and the options of an address" {
	run -0 ipcway complete -- send fi
	has_line fifo:
	run -0 ipcway complete -- bridge fifo:/tmp/a mq+
	has_line mq+sysv:
	run -0 ipcway complete -- send fifo:/tmp/a fi
	[ -z "$output" ]
	run -0 ipcway complete -- recv 'fifo:/tmp/a?unt'
	[ "$output" = 'fifo:/tmp/a?until=' ]
	run -0 ipcway complete -- recv 'fifo:/tmp/a?mode=0600&until='
	[ "$output" = $'fifo:/tmp/a?mode=0600&until=forever\nfifo:/tmp/a?mode=0600&until=last' ]
	run -0 ipcway complete -- recv fifo:/tmp/a -O kee
	[ "$output" = keep= ]
	run -0 ipcway complete -- mechanisms fi
	has_line fifo
}

@test "names that are there now" {
	mkfifo "$D/here"
	mkdir "$D/in side"
	: >"$D/plain"
	run -0 ipcway complete -- send "fifo:$D/"
	[ "$(sort <<<"$output")" = "fifo:$D/here"$'\n'"fifo:$D/in side/" ]
	name=@ipcway-test-$BASHPID-$RANDOM
	start l bash -c 'exec "$0" recv "unix+seqpacket:$1"' "$IPCWAY" "$name"
	run -0 ipcway wait "unix+seqpacket:$name" --timeout 10s
	run -0 ipcway complete -- send "unix+seqpacket:${name:0:12}"
	has_line "unix+seqpacket:$name"
	run -0 ipcway complete -- send "unix:${name:0:12}"
	[[ $output != *"$name"* ]]
	start s "$IPCWAY" recv "$SOCKET"
	run -0 ipcway wait "$SOCKET" --timeout 10s
	run -0 ipcway complete -- send "unix+seqpacket:$D/"
	has_line "$SOCKET"
	ipcway send "$QUEUE" x
	run -0 ipcway complete -- recv mq+sysv:
	has_line "mq+sysv:0x$(printf %08x "$((${QUEUE#mq+sysv:}))")"
	run -0 ipcway complete -- recv "$FIFO" --file "$D/pl"
	[ "$output" = "$D/plain" ]
}

@test "behind -- stand other words" {
	run -0 ipcway complete -- run pipe: -- fi
	[ -z "$output" ]
	run -0 ipcway complete -- send "$FIFO" -- --fo
	[ -z "$output" ]
}

@test "bash gets what stands behind its own cuts" {
	[ "$(in_bash 'ipcway des')" = describe ]
	[ "$(in_bash 'ipcway  recv  --format js')" = json ]
	[ "$(in_bash 'ipcway recv --format=js')" = json ]
	mkfifo "$D/here"
	[ "$(in_bash "ipcway send fifo:$D/he")" = "$D/here" ]
	[ "$(in_bash 'ipcway recv fifo:/tmp/a?until=l')" = last ]
	[ "$(in_bash 'ipcway recv fifo:/tmp/a?unt')" = "/tmp/a?until=" ]
	[ -z "$(in_bash 'ipcway run pipe: -- fi')" ]
	run -0 bash -c 'source "$1/ipcway.bash"; complete -p ipcway' - "$scripts"
	is_in "_ipcway" "$output"
}

@test "fish shows the same" {
	command -v fish >/dev/null || skip "no fish here"
	mkfifo "$D/here"
	export HOME=$D XDG_CONFIG_HOME=$D/config XDG_DATA_HOME=$D/data
	run -0 fish -N -c 'source $argv[1]/ipcway.fish; complete -C "ipcway des"' "$scripts"
	[ "$output" = describe ]
	run -0 fish -N -c 'source $argv[1]/ipcway.fish; complete -C "ipcway send fifo:$argv[2]/he"' "$scripts" "$D"
	is_in "$D/here" "$output"
}

@test "zsh shows the same" {
	command -v zsh >/dev/null || skip "no zsh here"
	run -0 timeout 20 zsh -f "$BATS_TEST_DIRNAME/complete.zsh" "$scripts" 'ipcway recv --format js'
	is_in "recv --format json" "$output"
	run -0 timeout 20 zsh -f "$BATS_TEST_DIRNAME/complete.zsh" "$scripts" 'ipcway recv fifo:/tmp/a?unt'
	is_in 'until=' "$output"
}

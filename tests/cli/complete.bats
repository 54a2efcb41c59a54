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
	[ "$output" = $'deadlocks\ndescribe' ]
	run -0 ipcway complete -- nonsense ""
	[ -z "$output" ]
	run -0 ipcway complete
	[ -z "$output" ]
}

@test "every option that help lists" {
	for c in send recv pair accept serve wait bridge run segment lock sem signal ls leaks snapshot diff doctor remove log bench advise mechanisms describe tour; do
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
	has_line "mq+sysv:0x$(printf %08x "$(($KEY))")"
	run -0 ipcway complete -- recv "$FIFO" --file "$D/pl"
	[ "$output" = "$D/plain" ]
}

@test "verbs, and what each of them takes" {
	run -0 ipcway complete -- sem ""
	[ "$output" = $'create\nwait\npost\nvalue\nremove\nrun' ]
	run -0 ipcway complete -- sem --value 3 r
	[ "$output" = $'remove\nrun' ]
	run -0 ipcway complete -- sem wait se
	[ "$output" = $'sem:\nsem+sysv:\nsem+shm:\nsem+file:' ]
	run -0 ipcway complete -- segment read ""
	has_line shm:
	[[ $output != *fifo:* && $output != *sem:* ]]
	run -0 ipcway complete -- lock fi
	[ -z "$output" ]
	run -0 ipcway complete -- lock lock:/etc/x -O ki
	[ "$output" = kind= ]
	run -0 ipcway complete -- signal ""
	[ "$output" = $'send\nwait\nlist' ]
	run -0 ipcway complete -- signal send $$ US
	[ "$output" = $'USR1\nUSR2' ]
	run -0 ipcway complete -- signal wait TERM IN
	[ "$output" = INT ]
	run -0 ipcway complete -- signal list SEG
	[ "$output" = SEGV ]
	run -0 ipcway complete -- signal list SEGV SEG
	[ -z "$output" ]
	run -0 ipcway complete -- recv signal:TERM,US
	[ "$output" = $'signal:TERM,USR1\nsignal:TERM,USR2' ]
}

@test "semaphores, locks and processes that are there now" {
	run -0 ipcway sem create "$SEM"
	run -0 ipcway complete -- sem wait "${SEM:0:12}"
	has_line "$SEM"
	run -0 ipcway complete -- sem wait "sem:${SEM:0:12}"
	has_line "sem:$SEM"
	run -0 ipcway sem remove "$SEM"
	run -0 ipcway complete -- sem wait "${SEM:0:12}"
	[[ $output != *"$SEM"* ]]
	run -0 ipcway sem create "$SET"
	run -0 ipcway complete -- sem value sem+sysv:
	has_line "sem+sysv:0x$(printf %08x "$(($KEY))")"
	run -0 ipcway sem remove "$SET"
	: >"$D/job.lock"
	run -0 ipcway complete -- lock "$D/job"
	[ "$output" = "$D/job.lock" ]
	run -0 ipcway complete -- lock "lock:$D/job"
	[ "$output" = "lock:$D/job.lock" ]
	run -0 ipcway complete -- signal send ${$:0:1}
	has_line $$
	run -0 ipcway complete -- recv child:$$
	has_line child:$$
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
	[ "$(in_bash 'ipcway sem po')" = post ]
	: >"$D/job.lock"
	[ "$(in_bash "ipcway lock $D/jo")" = "$D/job.lock" ]
	[ "$(in_bash 'ipcway recv signal:TERM,US')" = "TERM,USR1"$'\n'"TERM,USR2" ]
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
	run -0 fish -N -c 'source $argv[1]/ipcway.fish; complete -C "ipcway sem po"' "$scripts"
	[ "$output" = post ]
	run -0 fish -N -c 'source $argv[1]/ipcway.fish; complete -C "ipcway signal send 1 SEG"' "$scripts"
	[ "$output" = SEGV ]
}

@test "zsh shows the same" {
	command -v zsh >/dev/null || skip "no zsh here"
	run -0 timeout 20 zsh -f "$BATS_TEST_DIRNAME/complete.zsh" "$scripts" 'ipcway recv --format js'
	is_in "recv --format json" "$output"
	run -0 timeout 20 zsh -f "$BATS_TEST_DIRNAME/complete.zsh" "$scripts" 'ipcway recv fifo:/tmp/a?unt'
	is_in 'until=' "$output"
	run -0 timeout 20 zsh -f "$BATS_TEST_DIRNAME/complete.zsh" "$scripts" 'ipcway sem po'
	is_in 'sem post' "$output"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load helper
bats_require_minimum_version 1.5.0

setup_file() { export PATH="$(dirname "${IPCWAY:-$BATS_TEST_DIRNAME/../../build/tool/ipcway}"):$PATH"; }

@test "two plain programs" {
	run -0 ipcway run pipe: -- seq 3 -- cat
	[ "$output" = $'1\n2\n3' ]
	run -0 ipcway run pipe: -c 'echo a; echo b' -c 'tr ab xy'
	[ "$output" = $'x\ny' ]
	run -0 ipcway run unix+seqpacket: -- echo a -- cat
	[ "$output" = a ]
}

@test "two that use ipcway" {
	run -0 ipcway run pipe: -- ipcway send - hello you -- ipcway recv -
	[ "$output" = $'hello\nyou' ]
	run -0 ipcway run unix+seqpacket: -- ipcway send - hello you -- ipcway recv -
	[ "$output" = $'hello\nyou' ]
	run -0 ipcway run pipe: -- ipcway send - --file "$IPCWAY" -- ipcway recv - --file "$D/copy"
	cmp "$IPCWAY" "$D/copy"
}

@test "one of each" {
	run -0 --separate-stderr ipcway run pipe: -- seq 3 -- ipcway recv -
	[ "$output" = $'1\n2\n3' ]
	run -0 ipcway run pipe: -- ipcway send - -O framing=line hello -- cat
	[ "$output" = hello ]
}

@test "one of each, over records" {
	run -0 --separate-stderr ipcway run unix+seqpacket: -- ipcway send - hello -- cat
	[ "$output" = hello ]
	run -0 --separate-stderr ipcway run unix+seqpacket: -- echo hello -- ipcway recv -
	[ "$output" = hello ]
}

@test "--env leaves stdin and stdout alone, --stdio sets no address" {
	run -0 ipcway run pipe: --env -c 'echo seen; ipcway send - hello' -c 'ipcway recv -'
	[ "$(sort <<<"$output")" = $'hello\nseen' ]
	run -0 ipcway run pipe: --stdio -c 'echo "[$IPCWAY_ADDR]"' -c cat
	[ "$output" = "[]" ]
}

@test "memory is no stdin or stdout" {
	run -0 ipcway run shm+anon: -c 'echo seen; ipcway send - hello' -c 'ipcway recv -'
	[ "$(sort <<<"$output")" = $'hello\nseen' ]
	run -125 ipcway run shm+anon: --stdio -c 'echo hello' -c cat
	is_in "memory" "$output"
}

@test "the status is that of the last, as in a pipeline" {
	run -0 ipcway run pipe: -- false -- true
	run -7 ipcway run pipe: -c true -c 'exit 7'
	run -143 ipcway run pipe: -c true -c 'kill -TERM $$'
}

@test "125, 126, 127" {
	run -125 ipcway run pipe:
	run -125 ipcway run pipe: -- true
	run -125 ipcway run fifo:/tmp/x -- true -- true
	run -125 ipcway run pipe: --nonsense -- true -- true
	run -127 ipcway run pipe: -- true -- /nowhere/at-all
	is_in "/nowhere/at-all" "$output"
	run -127 ipcway run pipe: -- /nowhere/at-all -- cat
	: >"$D/plain"
	run -126 ipcway run pipe: -- true -- "$D/plain"
}

@test "a program that cannot start does not leave the other one behind" {
	run -127 timeout 10 "$IPCWAY" run pipe: -- sleep 60 -- /nowhere/at-all
}

@test "SIGTERM is passed on to both, the status says so" {
	start r env --default-signal=TERM "$IPCWAY" run pipe: -c 'echo $$ >'"$D"'/one; exec sleep 60' -c 'echo $$ >'"$D"'/two; exec sleep 60'
	until_ok test -s "$D/one"
	until_ok test -s "$D/two"
	kill -TERM "${job[@]}"
	ended r 143
	run ! kill -0 "$(cat "$D/one")"
	run ! kill -0 "$(cat "$D/two")"
}

@test "nothing of ours is left open in the programs" {
	bare=$(bash -c 'ls /proc/self/fd | wc -l')
	run -0 ipcway run pipe: --stdio -c true -c 'cat >/dev/null; ls /proc/self/fd | wc -l'
	[ "$output" = "$bare" ]
}

@test "SIGPIPE is what it was for plain programs" {
	run -0 ipcway run pipe: -c 'yes; echo $? >'"$D"'/yes' -c 'head -n 1'
	[ "$(cat "$D/yes")" = 141 ]
	[ "$output" = y ]
}

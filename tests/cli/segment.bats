#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load helper
bats_require_minimum_version 1.5.0

setup_file() { export PATH="$(dirname "${IPCWAY:-$BATS_TEST_DIRNAME/../../build/tool/ipcway}"):$PATH"; }

setup() {
	D=$BATS_TEST_TMPDIR
	declare -gA job=()
	NAME=/ipcway-bats-$$-$BATS_TEST_NUMBER
	KEY=0x$(od -An -N4 -tx4 /dev/urandom | tr -d ' ' | sed 's/^0*/1/;s/^\(.\{8\}\).*/\1/')
	FILE=shm+file:$D/memory SYSV=shm+sysv:$KEY
}

teardown() {
	local pid
	for pid in "${job[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
	done
	wait 2>/dev/null || true
	"$IPCWAY" segment remove -f "$NAME" || true
	"$IPCWAY" segment remove -f "$SYSV" || true
}

@test "create, write, read, info, remove" {
	for s in "$NAME" "$FILE" "$SYSV"; do
		run -1 ipcway segment read "$s"
		is_in "there is no such shared memory" "$output"
		run -0 ipcway segment create "$s" --size 4K
		[ -z "$output" ]
		run -1 ipcway segment create "$s" --size 4K
		is_in "exists" "$output"
		run -0 ipcway segment create -f "$s" --size 4K
		run -1 ipcway segment create -f "$s" --size 8K
		is_in "has 4096 bytes, not 8192" "$output"
		run -0 ipcway segment read "$s"
		[ "$output" = "" ]
		run -0 ipcway segment write "$s" "hello there"
		run -0 ipcway segment write "$s" HERE --offset 6
		run -0 ipcway segment read "$s"
		[ "$output" = "hello HEREe" ]
		run -0 ipcway segment read "$s" --offset 6 --size 4 --format hex
		[ "$output" = 48455245 ]
		[ "$(ipcway segment read "$s" --format raw | wc -c)" = 4096 ]
		run -0 ipcway segment info "$s"
		is_in "4096 bytes" "$output"
		is_in "raw bytes" "$output"
		run -0 ipcway segment info "$s" --json
		[ "$("$JSON_CHECK" size <<<"$output")" = 4096 ]
		run -0 ipcway remove "$([[ $s = /* ]] && echo "shm:$s" || echo "$s")"
		run -1 ipcway segment remove "$s"
		run -0 ipcway segment remove -f "$s"
	done
}

@test "standard input, to the last byte and not beyond it" {
	run -0 ipcway segment create "$NAME" --size 100000
	head -c 100000 /dev/urandom >"$D/in"
	ipcway segment write "$NAME" <"$D/in"
	ipcway segment read "$NAME" --format raw | cmp - "$D/in"
	run -1 ipcway segment write "$NAME" x --offset 100000
	is_in "does not fit" "$output"
	run -1 bash -c '(cat "$3"; echo) | "$1" segment write "$2"' sh "$IPCWAY" "$NAME" "$D/in"
	is_in "nothing was written" "$output"
	ipcway segment read "$NAME" --format raw | cmp - "$D/in"
	run -1 ipcway segment read "$NAME" --offset 99999 --size 2
	is_in "there are not as many" "$output"
}

@test "resize, where the kernel can" {
	for s in "$NAME" "$FILE"; do
		run -0 ipcway segment create "$s" --size 10
		run -0 ipcway segment write "$s" 0123456789
		run -0 ipcway segment resize "$s" --size 20K
		run -0 ipcway segment write "$s" end --offset 20477
		run -0 ipcway segment resize "$s" --size 5
		run -0 ipcway segment read "$s"
		[ "$output" = 01234 ]
	done
	run -0 ipcway segment create "$SYSV" --size 10
	run -1 ipcway segment resize "$SYSV" --size 20
	is_in "keeps the size" "$output"
}

@test "--guard: not while somebody holds the gate" {
	run -0 ipcway segment create "$NAME" --size 10
	start holder ipcway lock "$D/lock" -- sh -c ': >"$1/held"; until [ -e "$1/go" ]; do sleep 0.02; done' sh "$D"
	until_ok test -e "$D/held"
	run -124 ipcway segment write "$NAME" text --guard "$D/lock" --try
	run -124 ipcway segment read "$NAME" --guard "$D/lock" --shared --timeout 20ms
	start writer ipcway segment write "$NAME" text --guard "$D/lock"
	: >"$D/go"
	ended holder 0
	ended writer 0
	run -0 ipcway segment read "$NAME" --guard "$D/lock" --shared
	[ "$output" = text ]
	run -2 ipcway segment read "$NAME" --guard fifo:/tmp/x
}

@test "messages are not overwritten by bytes" {
	for s in "shm:$NAME" "$FILE" "$SYSV"; do
		run -0 ipcway send "$s" message
		run -1 ipcway segment write "$s" text
		is_in "--force" "$output"
		run -1 ipcway segment resize "$s" --size 1
		run -0 ipcway segment info "$s"
		is_in "messages" "$output"
		run -0 ipcway recv "$s" -n 1
		[ "$output" = message ]
		run -0 ipcway segment write "$s" --force text
		run -0 ipcway segment info "$s"
		is_in "raw bytes" "$output"
		run -0 ipcway segment remove "$s"
	done
}

@test "what it cannot do" {
	run -2 ipcway segment
	run -2 ipcway segment crate /x
	run -2 ipcway segment read
	run -2 ipcway segment read a b
	run -2 ipcway segment create fifo:/tmp/x --size 1
	is_in "no shared memory" "$output"
	run -2 ipcway segment create shm+anon: --size 1
	is_in "as soon as this command ends" "$output"
	run -1 ipcway segment create "$NAME"
	is_in "size=" "$output"
	run -2 ipcway segment resize "$NAME"
	ln -s /etc/hostname "$D/memory"
	run -1 ipcway segment read "$FILE"
	is_in "symbolic link" "$output"
}

@test "to read, the permission to read is enough: a descriptor that is open so" {
	run -0 ipcway segment create "$FILE" --size 64
	run -0 ipcway segment write "$FILE" "on the air"
	[ "$(ipcway segment read fd:9 9<"$D/memory")" = "on the air" ]
	is_in "64 bytes" "$(ipcway segment info fd:9 9<"$D/memory")"
	run -1 ipcway segment write fd:9 "no" 9<"$D/memory"
	is_in "one way only" "$output"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# ipcway doctor: each limit is made small in namespaces of the test's own, and reached; then it must be named, worst first, with what helps.
load helper
bats_require_minimum_version 1.5.0

needs_namespaces() { [ "$(id -u)" = 0 ] && unshare -minpf --mount-proc true 2>/dev/null || skip "takes root, and namespaces that may be made"; }

# Runs a script as bash in namespaces of its own, as if nothing else ran on the machine; what it starts ends with it.
apart() {
	IPCWAY=$IPCWAY D=$D timeout -k 1 60 unshare -minpf --kill-child --mount-proc bash -eu -c '
		'"$(declare -f until_ok)"'
		mount -t tmpfs -o size=64k,nr_inodes=20,mode=1777 shm /dev/shm
		'"$1"
}

line() { grep -E "^(full|tight|wrong|note|ok) +$1 " <<<"$output" || { echo "no line of \"$1\" in: $output"; return 1; }; }

@test "doctor: the worst stands first, and the status says whether there is any" {
	run ipcway doctor
	[ "$status" -le 1 ]
	is_in "/dev/shm" "$output"
	grep -E '^(full|tight|wrong|note|ok) ' <<<"$output" | awk '{ print $1 }' >"$D/states"
	worst=$(head -n 1 "$D/states")
	[ "$(uniq "$D/states" | sort | uniq -d)" = "" ]
	case $worst in ok | note) [ "$status" = 0 ] ;; *) [ "$status" = 1 ] ;; esac
	run ipcway doctor --json
	[ "$status" -le 1 ]
	is_in '"what": "/dev/shm"' "$output"
	run -2 ipcway doctor all
}

@test "doctor: nothing to mend" {
	needs_namespaces
	run apart '"$IPCWAY" doctor'
	[ "$status" = 0 ]
	line "IPC namespace"
	line /dev/shm
}

@test "doctor: every limit, reached" {
	needs_namespaces
	run apart '
		head -c 61440 /dev/zero >/dev/shm/most
		echo 2 >/proc/sys/kernel/shmmni
		"$IPCWAY" segment create shm+sysv:0x51 --size 4096
		"$IPCWAY" segment create shm+sysv:0x52 --size 4096
		echo 1 >/proc/sys/kernel/msgmni
		"$IPCWAY" send mq+sysv:0x51 hello
		echo "32000 5 500 1" >/proc/sys/kernel/sem
		"$IPCWAY" sem create sem+sysv:0xffffffff --value 1
		mkdir -p /dev/mqueue && mount -t mqueue none /dev/mqueue
		echo 1 >/proc/sys/fs/mqueue/queues_max
		"$IPCWAY" send mq:/q hello
		sleep 60 4</dev/null 5</dev/null 6</dev/null &
		until_ok grep -q "^sleep" /proc/$!/comm
		echo "pid $! has $(ls /proc/$!/fd | wc -l)"
		prlimit --pid $! --nofile="$(ls /proc/$!/fd | wc -l)"
		ulimit -q 0
		"$IPCWAY" doctor || echo "status $?"'
	read -r pid has < <(sed -n 's/^pid \(.*\) has /\1 /p' <<<"$output")
	is_in "status 1" "$output"
	is_in "94%" "$(line /dev/shm)"
	is_in "mount -o remount,size=1M /dev/shm" "$(line /dev/shm)"
	is_in "2 of 2" "$(line "System V segments")"
	is_in "sysctl -w kernel.shmmni=5" "$(line "System V segments")"
	is_in "1 of 1" "$(line "System V queues")"
	is_in "1 of 1" "$(line "sets of System V semaphores")"
	is_in "1 of 1" "$(line "POSIX queues")"
	is_in "ftok(3) failed" "$(line "sem\\+sysv:0xffffffff")"
	is_in "not even one queue fits" "$(line "memory for POSIX queues")"
	is_in "$has of $has" "$(line "descriptors of $pid \\(sleep\\)")"
	is_in "prlimit --pid $pid --nofile=$((has * 2)):" "$output"
}

@test "doctor: a listener that accepts nobody" {
	needs_namespaces
	run apart '
		echo 2 >/proc/sys/net/core/somaxconn
		"$IPCWAY" recv "unix:$D/s" &
		pid=$!
		"$IPCWAY" wait "unix:$D/s"
		kill -STOP $pid
		for i in 1 2 3; do "$IPCWAY" send "unix:$D/s" x >/dev/null 2>&1 & done
		full() { "$IPCWAY" ls unix --path "$D/s" -o content 2>/dev/null | grep -qE "^[23] of 2 callers"; }
		until_ok full
		echo "pid $pid"
		"$IPCWAY" doctor || echo "status $?"'
	is_in "status 1" "$output"
	is_in "callers wait and nobody accepts: ipcway why $(sed -n 's/^pid //p' <<<"$output")" "$(line "unix:$D/s")"
}

@test "doctor: what is removed at logout" {
	[ -d /etc/systemd ] || skip "there is no /etc/systemd"
	needs_namespaces
	run apart '
		mount -t tmpfs etc /etc/systemd
		cp "$(command -v sleep)" "$D/systemd-logind"
		"$D/systemd-logind" 60 &
		until_ok grep -q systemd-logind /proc/$!/comm
		"$IPCWAY" doctor || echo "status $?"
		: >/dev/shm/mine && chown 1000 /dev/shm/mine
		"$IPCWAY" doctor || echo "status $?"
		printf "[Login]\n#RemoveIPC=yes\nRemoveIPC=no\n" >/etc/systemd/logind.conf
		echo "then"
		"$IPCWAY" doctor || echo "status $?"'
	[ "$(grep -c "RemoveIPC of systemd-logind" <<<"${output%%then*}")" = 2 ]
	is_in "wrong" "$(line "RemoveIPC of systemd-logind")"
	is_in "status 1" "$output"
	[[ ${output##*then} != *RemoveIPC* ]]
	[[ ${output##*then} != *status* ]]
}

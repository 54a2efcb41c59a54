#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# ipcway ls: the table, its words, that its addresses lead back to the object, and that it says the same as tools that know a part of it.
load helper
bats_require_minimum_version 1.5.0

# What it says in one column of the one object with that address.
cell() { "$IPCWAY" ls -o "address,$2" --all 2>/dev/null | awk -v a="$1" '$1 == a { $1 = ""; sub(/^ */, ""); print }'; }
is_cell() { [ "$(cell "$1" "$2")" = "$3" ]; }
needs() { command -v "$1" >/dev/null || skip "$1 is not installed"; }

@test "ls: both ends of a FIFO, found by kind, process and path" {
	mkfifo "$D/fifo"
	start w sleep 60 5<>"$D/fifo"
	start r cat "$D/fifo"
	until_ok is_cell "fifo:$D/fifo" users "${job[w]}(sleep):5rw, ${job[r]}(cat):3r!" || until_ok is_cell "fifo:$D/fifo" users "${job[r]}(cat):3r!, ${job[w]}(sleep):5rw"
	run -0 --separate-stderr ipcway ls fifo --pid "${job[r]}" -o address
	[ "${lines[1]}" = "fifo:$D/fifo" ]
	run -0 --separate-stderr ipcway ls --path "$D" -o kind,address,waits
	[ "${#lines[@]}" = 2 ]
	[[ ${lines[1]} =~ ^fifo\ +fifo:$D/fifo\ +${job[r]}$ ]]
	run -0 --separate-stderr ipcway ls mq --path "$D" -o address
	[ "${#lines[@]}" -le 1 ]
}

@test "ls: what it calls an object, why, describe and remove take" {
	ipcway send "mq:$SEM" hello
	ipcway sem create "sem:$SEM" --value 3
	ipcway send "$QUEUE" hello
	start h ipcway recv "mq:$SEM" --idle 60
	until_ok is_cell "mq:$SEM" content "0 of 10 messages, 0 B"
	is_cell "sem:$SEM" content "32 B, 4.0 KiB used, value 3, 0 wait"
	is_cell "mq+sysv:0x$(printf %x "$KEY")" content "1 messages, 5 B"
	run -0 --separate-stderr ipcway why "mq:$SEM"
	is_in "(ipcway)" "$output"
	for address in "mq:$SEM" "sem:$SEM" "mq+sysv:0x$(printf %x "$KEY")"; do
		run -0 ipcway describe "$address"
		run -0 ipcway remove "$address"
	done
	[ -z "$(cell "sem:$SEM" content)" ]
}

@test "ls: rings with users and fill, and why of who sleeps at one" {
	start r "$IPCWAY" recv "shm:$SEM" --idle 60
	until_ok is_cell "shm:$SEM" content "1.0 MiB, 1.0 MiB used, ring: queue, users 1, 0 B of 1.0 MiB unread"
	asleep() { [[ $(cell "shm:$SEM" users) == "${job[r]}(ipcway):"*"rwm!" ]]; }
	until_ok asleep
	awaits() { [[ $(ipcway why "${job[r]}" 2>/dev/null) == *"waits in futex(2) for ring shm:$SEM, which is empty, until somebody sends"*"no deadlock"* ]]; }
	until_ok awaits
	kill -KILL "${job[r]}"
	has_gone() { [[ $(cell "shm:$SEM" users) != *"(ipcway)"* ]]; } # others may be hidden here
	until_ok has_gone
	ipcway send "shm:$SEM" hello
	is_cell "shm:$SEM" content "1.0 MiB, 1.0 MiB used, ring: queue, users 0, 16 B of 1.0 MiB unread"
	ipcway remove "shm:$SEM"
}

@test "ls: names with newlines, parentheses, the word deleted and no UTF-8" {
	odd=$'a\nb) R (c\xff (deleted)'
	mkfifo "$D/$odd"
	start w sleep 60 5<>"$D/$odd"
	address="fifo:$D/a%0Ab)%20R%20(c%FF%20(deleted)"
	until_ok is_cell "$address" users "${job[w]}(sleep):5rw"
	run -0 --separate-stderr ipcway ls fifo --path "$D" -o address,name
	[ "${#lines[@]}" = 2 ]
	run -0 --separate-stderr ipcway ls fifo --path "$D" --json
	is_in '"address": "'"$address"'"' "$output"
	is_in 'c\\xff (deleted)"' "$output"
	run -0 --separate-stderr ipcway why "$address"
	is_in "used by ${job[w]}(sleep)" "$output"
	rm "$D/$odd"
	is_cell "fifo:[$(stat -Lc %i "/proc/${job[w]}/fd/5")]" users "${job[w]}(sleep):5rw" # it has no name now, and no other's is taken for it
	mkfifo "$D/$odd"
	run -0 ipcway remove "$address"
	[ ! -e "$D/$odd" ]
}

total() { ipcway ls shm --json 2>/dev/null | tail -n 1 | "$JSON_CHECK" "$1"; }
adds_up() {
	local all; all=$(ipcway ls shm --json 2>/dev/null | tail -n 1)
	local used named deleted rest
	for k in used named deleted rest; do printf -v $k %s "$("$JSON_CHECK" $k <<<"$all")"; done
	[ "$used" = $((named + deleted + rest)) ] && [ "$used" = "$(df -B1 --output=used /dev/shm | tail -n 1 | tr -d ' ')" ]
}

@test "ls: shared memory adds up to what df says, with what was deleted and who has it" {
	until_ok adds_up
	exec 7<>"/dev/shm/ipcway-bats-$$-gone"
	head -c 20000 /dev/zero >&7
	rm "/dev/shm/ipcway-bats-$$-gone"
	inode=$(stat -Lc %i /proc/$$/fd/7)
	is_cell "shm:[$inode]" size 20000
	is_in "(bash):7rw" "$(cell "shm:[$inode]" users)"
	[ "$(total deleted)" -ge 20000 ]
	exec 7>&-
}

@test "ls: as another user, others' are named as denied" {
	[ "$(id -u)" = 0 ] || skip "only root has two users"
	needs setpriv
	setpriv --reuid 65534 --clear-groups ls /proc >/dev/null 2>&1 || skip "others may not enter / here"
	cp "$IPCWAY" /tmp/ipcway-bats-$$ && chmod 755 /tmp/ipcway-bats-$$
	ipcway sem create "sem:$SEM" --value 3
	run -0 timeout 15 setpriv --reuid 65534 --clear-groups /tmp/ipcway-bats-$$ ls sem -o address,content
	rm -f /tmp/ipcway-bats-$$
	is_in "denied: needs to be its owner, or CAP_FOWNER" "$(grep -F "$SEM" <<<"$output")"
	is_in "may not be looked into" "$output"
}

@test "ls: as a tree of processes, with whom each shares what" {
	mkfifo "$D/fifo"
	start w sh -c 'exec 5<>"$1"; cat <&5 >/dev/null & exec sleep 60' - "$D/fifo"
	reads() { reader=$(pgrep -P "${job[w]}" -x cat) && is_cell "fifo:$D/fifo" waits "$reader"; }
	until_ok reads
	run -0 --separate-stderr ipcway ls fifo --tree --path "$D"
	[[ ${lines[0]} =~ ^PROCESS\ +ADDRESS\ +HOW\ +WITH$ ]]
	is_in "\`- ${job[w]} sleep" "$output"
	[[ $output =~ \|\ +fifo:$D/fifo\ +5rw\ +$reader\(cat\):0rw! ]]
	is_in "   \`- $reader cat" "$output"
	[[ $output =~ fifo:$D/fifo\ +0rw!\ +${job[w]}\(sleep\):5rw ]]
	[[ $output != *$'\e'* ]]
	run -0 --separate-stderr ipcway ls fifo --path "$D" --json
	json=$output
	[ "$("$JSON_CHECK" -l <<<"$json")" = 1 ] # an object a line
	run -0 --separate-stderr ipcway ls fifo --tree --path "$D" --json
	[ "$output" = "$json" ]
	run -2 ipcway ls --tree -o address
	kill "$reader"
}

@test "ls: orders, and wrong words" {
	run -0 --separate-stderr ipcway ls --sort users -o users
	run -0 --separate-stderr ipcway ls shm --sort size -o address,used
	run -2 ipcway ls nonsense
	is_in "\"nonsense\" is no kind of object" "$output"
	run -2 ipcway ls -o nonsense
	is_in 'there is no column "nonsense"' "$output"
	run -0 ipcway complete -- ls eve
	[ "$output" = eventfd ]
}

# ---- the same as others say ------------------------------------------------------------------------------------------------------------------

@test "ls: pipes as lsof has them" {
	needs lsof
	mkfifo "$D/keep"
	sleep 60 5<>"$D/keep" 3>&- | sleep 61 3>&- &
	until_ok pgrep -f '^sleep 61$' -P $$ >/dev/null
	writer=$(pgrep -P $$ -f '^sleep 60$') reader=$(pgrep -P $$ -f '^sleep 61$')
	job[w]=$writer job[r]=$reader
	inode=$(stat -Lc %i "/proc/$reader/fd/0")
	is_cell "pipe:[$inode]" users "$writer(sleep):1w, $reader(sleep):0r" || is_cell "pipe:[$inode]" users "$reader(sleep):0r, $writer(sleep):1w"
	run -0 --separate-stderr lsof -n -P +E -a -p "$reader" -d 0
	is_in "$inode pipe $writer,sleep,1w" "$output"
}

@test "ls: Unix sockets as ss has them" {
	needs ss
	start r ipcway recv "unix:$D/s" --until-last
	mkfifo "$D/in"
	exec 7<>"$D/in"
	start s sh -c 'exec "$1" send "$2" --in line <"$3"' - "$IPCWAY" "unix:$D/s" "$D/in"
	until_ok test -S "$D/s"
	connected() { ss -xaH | awk -v p="$D/s" '$5 == p && $2 == "ESTAB" { print $6, $8 }' | grep -q .; }
	until_ok connected
	read -r local peer < <(ss -xaH | awk -v p="$D/s" '$5 == p && $2 == "ESTAB" { print $6, $8 }')
	is_in "(ipcway):" "$(cell "unix:[$local]" users)"
	[ "$(cell "unix:[$local]" peer)" = "$(cell "unix:[$peer]" users)" ]
	is_cell "unix:[$local]" name "$D/s"
}

@test "ls: locks as lslocks has them" {
	needs lslocks
	start l ipcway lock "$D/l" -- sleep 60
	held() { lslocks -no PATH 2>/dev/null | grep -qxF "$D/l"; }
	until_ok held
	for type in $(lslocks -no TYPE,PATH | awk -v p="$D/l" '$2 == p { print tolower($1) }' | sort -u); do
		case $type in posix | flock | ofdlck) ;; *) false ;; esac
		is_in "\"fact\": \"${type%lck}\"" "$(ipcway ls lock --path "$D/l" --json 2>/dev/null)"
	done
	is_in "(ipcway):" "$(cell "lock:$D/l" users)"
}

@test "ls: System V as ipcs has it" {
	needs ipcs
	ipcway send "$QUEUE" hello
	ipcway sem create "$SET" --value 4
	key=$(printf '0x%08x' "$KEY") address=0x$(printf %x "$KEY")
	[ "$(ipcs -q | awk -v k="$key" '$1 == k { print $6 " messages, " $5 " B" }')" = "$(cell "mq+sysv:$address" content)" ]
	[ "$(ipcs -q | awk -v k="$key" '$1 == k { print "id=" $2 }')" = "$(cell "mq+sysv:$address" name)" ]
	[ "$(ipcs -s | awk -v k="$key" '$1 == k { print "id=" $2 }')" = "$(cell "sem+sysv:$address" name)" ]
	is_in "value 4" "$(cell "sem+sysv:$address" content)"
}

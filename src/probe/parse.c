/* SPDX-License-Identifier: MIT */
/* The texts of /proc. Names in them are whatever bytes others chose: spaces, parentheses, newlines. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot.h"

bool next_number(const char **at, int base, uint64_t *out)
{
        const char *from = *at + strspn(*at, " \t");
        char *end;

        errno = 0;
        *out = strtoull(from, &end, base);
        if (end == from || errno)
                return false;
        *at = end;
        return true;
}

/* The character, and no other. */
static bool next_is(const char **at, char wanted)
{
        return **at == wanted && (*at)++;
}

static size_t next_word(const char **at, const char **word)
{
        size_t size;

        *word = *at + strspn(*at, " \t");
        size = strcspn(*word, " \t\n");
        *at = *word + size;
        return size;
}

static bool next_is_word(const char **at, const char *wanted)
{
        const char *word, *was = *at;
        size_t size = next_word(at, &word);

        if (size == strlen(wanted) && memcmp(word, wanted, size) == 0)
                return true;
        *at = was;
        return false;
}

char *next_line(char **at)
{
        char *line = *at, *end;

        if (!line || !*line)
                return NULL;
        end = strchr(line, '\n');
        if (end)
                *end++ = 0;
        *at = end;
        return line;
}

/* In place: the kernel writes what would break its lines as \012. */
static void unescape(char *text)
{
        char *to = text;

        for (const char *from = text; *from; to++) {
                if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' && from[3] >= '0' &&
                    from[3] <= '7') {
                        *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
                        from += 4;
                } else {
                        *to = *from++;
                }
        }
        *to = 0;
}

/*
 * PID (NAME) STATE PARENT GROUP SESSION TERMINAL FOREGROUND FLAGS ... STARTED ...: the name may hold parentheses, what follows it cannot, so its end
 * is the last one.
 */
int parse_stat(const char *text, char *name, size_t room, struct stat_line *out)
{
        enum { KERNEL_THREAD = 0x200000, SESSION = 2, FLAGS = 5, THREADS = 16, STARTED = 18, FIELDS }; /* PF_KTHREAD; behind the state */
        const char *open = strchr(text, '('), *end = strrchr(text, ')'), *at, *word;
        uint64_t field[FIELDS];
        size_t size;

        if (!open || !end || end < open)
                return -EBADMSG;
        at = end + 1;
        if (next_word(&at, &word) != 1)
                return -EBADMSG;
        for (int i = 0; i < FIELDS; i++)
                if (!next_number(&at, 10, &field[i]))
                        return -EBADMSG;
        size = (size_t)(end - open - 1);
        if (size >= room)
                size = room - 1;
        memcpy(name, open + 1, size);
        name[size] = 0;
        for (char *c = name; *c; c++)
                if ((unsigned char)*c < ' ' || *c == 127)
                        *c = '?';
        *out = (struct stat_line){ .state = *word,
                                   .parent = (pid_t)field[0],
                                   .session = (pid_t)field[SESSION],
                                   .kernel = field[FLAGS] & KERNEL_THREAD,
                                   .threads = field[THREADS],
                                   .started = field[STARTED] };
        return 0;
}

/* "fd:00:1234": hexadecimal device, decimal inode; "fd:00" without. */
static bool next_device(const char **at, uint64_t *device)
{
        uint64_t major, minor;

        if (!next_number(at, 16, &major) || !next_is(at, ':') || !next_number(at, 16, &minor))
                return false;
        *device = major << 32 | (uint32_t)minor;
        return true;
}

/* "1: POSIX  ADVISORY  WRITE 4711 fd:00:1234 0 EOF", and "1: -> ..." for who waits. */
int parse_lock(const char *line, struct lock *out)
{
        static const char *const kinds[] = { "POSIX", "OFDLCK", "FLOCK", "LEASE" }; /* by enum lock_kind */
        struct lock lock = { 0 };
        uint64_t pid;
        const char *at = strchr(line, ':'), *word;
        bool known = false;

        if (!at)
                return -EBADMSG;
        at++;
        lock.waits = next_is_word(&at, "->");
        for (int i = LOCK_POSIX; i <= LOCK_LEASE && !known; i++) {
                lock.kind = i;
                known = next_is_word(&at, kinds[i]);
        }
        if (!known)
                return -ENOTSUP;
        (void)next_word(&at, &word); /* all are advisory; leases are being broken or not */
        lock.exclusive = next_is_word(&at, "WRITE");
        if (!lock.exclusive)
                (void)next_word(&at, &word);
        if (!next_number(&at, 10, &pid) || !next_device(&at, &lock.device) || !next_is(&at, ':') || !next_number(&at, 10, &lock.inode) ||
            !next_number(&at, 10, &lock.from))
                return -EBADMSG;
        if (next_is_word(&at, "EOF"))
                lock.to = UINT64_MAX;
        else if (!next_number(&at, 10, &lock.to))
                return -EBADMSG;
        lock.pid = pid > 0 && pid <= INT32_MAX ? (pid_t)pid : -1;
        *out = lock;
        return 0;
}

/* "7f..-7f.. rw-s 00000000 00:1b 1234   /dev/shm/sem.jobs": the name begins at the first slash behind the numbers, and there may be none. */
int parse_mapping(const char *line, struct mapping *out, bool *shared, const char **path)
{
        struct mapping m = { .key = { .kind = KIND_MEMORY } };
        const char *at = line, *rights;

        if (!next_number(&at, 16, &m.from) || !next_is(&at, '-') || !next_number(&at, 16, &m.to) || next_word(&at, &rights) != 4)
                return -EBADMSG;
        if (!next_number(&at, 16, &m.offset) || !next_device(&at, &m.key.device) || !next_number(&at, 10, &m.key.inode))
                return -EBADMSG;
        m.writable = rights[1] == 'w';
        *shared = rights[3] == 's';
        at += strspn(at, " ");
        *path = *at == '/' ? at : "";
        *out = m;
        return 0;
}

/* "30 25 0:27 / /dev/shm rw,relatime shared:1 - tmpfs tmpfs rw" */
int parse_mount(const char *line, struct mount *out)
{
        struct mount m;
        const char *at = line, *word;
        uint64_t id, parent, major, minor;
        size_t size;

        if (!next_number(&at, 10, &id) || !next_number(&at, 10, &parent) || !next_number(&at, 10, &major) || !next_is(&at, ':') ||
            !next_number(&at, 10, &minor) || !next_word(&at, &word))
                return -EBADMSG;
        size = next_word(&at, &word);
        if (size == 0 || size >= sizeof(m.path))
                return -EBADMSG;
        memcpy(m.path, word, size);
        m.path[size] = 0;
        unescape(m.path);
        while ((size = next_word(&at, &word)) && !(size == 1 && *word == '-'))
                ;
        size = next_word(&at, &word);
        if (size == 0 || size >= sizeof(m.type))
                return -EBADMSG;
        memcpy(m.type, word, size);
        m.type[size] = 0;
        m.device = major << 32 | (uint32_t)minor;
        *out = m;
        return 0;
}

/* Numbers in a fixed order, another one for each kind. */
int parse_sysv(const char *line, enum sysv_kind kind, struct sysv *out)
{
        static const unsigned counts[] = { 16, 14, 10 }; /* by enum sysv_kind */
        uint64_t n[16] = { 0 };
        const char *at = line;

        for (unsigned i = 0; i < counts[kind]; i++)
                if (!next_number(&at, i == 2 ? 8 : 10, &n[i]))
                        return -EBADMSG;
        *out = (struct sysv){ .key = (uint32_t)n[0], .id = (int)n[1], .mode = (unsigned)n[2] };
        switch (kind) {
        case SYSV_MEMORY: /* key id mode size maker last attached uid gid cuid cgid attached-at detached-at changed resident swapped */
                out->bytes = n[3];
                out->maker = (pid_t)n[4];
                out->sender = (pid_t)n[5];
                out->attached = n[6];
                out->used = n[14] + n[15];
                out->uid = (uid_t)n[7];
                out->sent = n[11];
                out->received = n[12];
                out->changed = n[13];
                break;
        case SYSV_QUEUE: /* key id mode bytes messages sender receiver uid gid cuid cgid sent received changed */
                out->bytes = n[3];
                out->count = n[4];
                out->sender = (pid_t)n[5];
                out->receiver = (pid_t)n[6];
                out->uid = (uid_t)n[7];
                out->sent = n[11];
                out->received = n[12];
                out->changed = n[13];
                break;
        case SYSV_SEMAPHORE: /* key id mode count uid gid cuid cgid used changed */
                out->count = n[3];
                out->uid = (uid_t)n[4];
                out->sent = n[8];
                out->changed = n[9];
                break;
        }
        return 0;
}

/* An address in the kernel's own byte order: words of eight digits, one of IPv4 or four. */
static bool next_end(const char **at, struct inet_end *out)
{
        static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
        uint64_t port;
        size_t digits;

        *at += strspn(*at, " ");
        digits = strspn(*at, "0123456789ABCDEFabcdef");
        if (digits != 8 && digits != 32)
                return false;
        memcpy(out->address, mapped, sizeof(mapped));
        for (size_t i = 0; i < digits; i += 8) {
                char word[9] = { 0 };
                uint32_t value;

                memcpy(word, *at + i, 8);
                value = (uint32_t)strtoul(word, NULL, 16);
                memcpy(out->address + (digits == 8 ? 12 : i / 2), &value, sizeof(value));
        }
        *at += digits;
        if (!next_is(at, ':') || !next_number(at, 16, &port) || port > UINT16_MAX)
                return false;
        out->port = (uint16_t)port;
        return true;
}

/* "0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 1000 0 12345 ...": what was sent and waits, what was received and waits */
int parse_inet(const char *line, bool tcp, struct inet_socket *out)
{
        struct inet_socket s = { .tcp = tcp };
        const char *at = strchr(line, ':'), *word;
        uint64_t state, unsent, waits, uid, inode;

        if (!at)
                return -EBADMSG;
        at++;
        if (!next_end(&at, &s.local) || !next_end(&at, &s.remote) || !next_number(&at, 16, &state) || !next_number(&at, 16, &unsent) ||
            !next_is(&at, ':') || !next_number(&at, 16, &waits) || !next_word(&at, &word) || !next_word(&at, &word) ||
            !next_number(&at, 10, &uid) || !next_word(&at, &word) || !next_number(&at, 10, &inode))
                return -EBADMSG;
        s.state = (int)state;
        s.unsent = (uint32_t)unsent;
        s.waits = (uint32_t)waits;
        s.uid = (uid_t)uid;
        s.inode = inode;
        *out = s;
        return 0;
}

/* "0 0x3 0x7ffc.. ... SP PC"; "running"; "-1 SP PC": in no call. */
int parse_call(const char *line, long *number, uint64_t a[6])
{
        const char *at = line;
        uint64_t n;

        if (*line == '-' || !next_number(&at, 10, &n) || n > INT32_MAX)
                return -ENOENT;
        for (int i = 0; i < 6; i++)
                if (!next_number(&at, 16, &a[i]))
                        return -ENOENT;
        *number = (long)n;
        return 0;
}

/* "NSpid:	4711	12	1" */
unsigned parse_numbers(const char *status, pid_t out[LEVELS])
{
        const char *at;
        unsigned i = 0;
        uint64_t n;

        if (!line_value(status, "NSpid:", &at))
                return 0;
        while (i < LEVELS && next_number(&at, 10, &n) && n <= INT32_MAX)
                out[i++] = (pid_t)n;
        return i;
}

bool line_value(const char *text, const char *key, const char **value)
{
        size_t size = strlen(key);

        while (text && strncmp(text, key, size) != 0) {
                text = strchr(text, '\n');
                text = text ? text + 1 : NULL;
        }
        if (text)
                *value = text + size + strspn(text + size, " \t");
        return text != NULL;
}

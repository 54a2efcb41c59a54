/* SPDX-License-Identifier: MIT */
/*
 * log: when the power goes. What the library writes is taken down call by call, with each sync, and then the machine dies after every call.
 *
 * What a disk may have then: of each sector that was written since its file was last synced, any of the contents it had since; of each name made since its directory was
 * last synced, the name or not; of each file that grew, as much as its sectors say, or its full size with zeros where nothing came. All of these independently: that is
 * every order in which a file system may have written, and every place where it may have stopped. The first play is short enough for all of them at every call, some
 * 8,400; of the longer one, where there are more than `most` at a call, so many are drawn.
 *
 * Whatever is left: what was acknowledged at ack=disk is there, for readers and for receivers that share a position, unless one of them said that it is done with it; and
 * the log can be written again, or says that it is damaged, and what is written then is received.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>

#include "log_folder.h"

enum { SECTOR = 512, FILES = 12, SECTORS = 64, VERSIONS = 12, STEPS = 4000, FRESH = 4000 };

/* ---- taking down ----------------------------------------------------------------------------------------------------------------------- */

static struct step {
        enum { WRITE, CREATE, SYNC_FILE, SYNC_NAMES, ACKNOWLEDGED, DONE } what;
        unsigned file;
        uint64_t at; /* offset; ACKNOWLEDGED: how many are; DONE: with which */
        size_t size;
        char *data;
} steps[STEPS];
static unsigned step_count, name_count;
static char names[FILES][64];

/* Of a descriptor: its number; -1: the directory; -2: of no interest. */
static int file_of(int fd)
{
        char link[40], target[300];
        ssize_t n;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, target, sizeof(target) - 1);
        assert_true(n > 0);
        target[n] = 0;
        if (strcmp(target, path) == 0)
                return -1;
        if (strncmp(target, path, strlen(path)) != 0 || strstr(target, "/control"))
                return -2; /* what writers share is worth nothing after a crash */
        for (unsigned i = 0; i < name_count; i++)
                if (strcmp(names[i], strrchr(target, '/') + 1) == 0)
                        return (int)i;
        assert_true(name_count < FILES);
        (void)snprintf(names[name_count], sizeof(names[0]), "%s", strrchr(target, '/') + 1);
        return (int)name_count++;
}

static struct step *note(int what, int file)
{
        assert_true(step_count < STEPS);
        steps[step_count] = (struct step){ .what = (__typeof__(steps[0].what))what, .file = (unsigned)file };
        return &steps[step_count++];
}

static int take_down_before(struct sys_call *call)
{
        return 0;
}

static void take_down(struct sys_call *call)
{
        const char *name = call->site->call, *comma = strrchr(call->arguments, ',');
        bool created = strcmp(name, "openat") == 0 && strstr(call->arguments, "O_EXCL"), wrote = strncmp(name, "pwrite", 6) == 0,
             cut = strcmp(name, "ftruncate") == 0, synced = strcmp(name, "fdatasync") == 0 || strcmp(name, "fsync") == 0;
        int fd = created ? (int)call->result : atoi(call->arguments), file;
        struct stat st;
        struct step *s;

        if (call->result < 0 || !(created || wrote || cut || synced))
                return;
        file = file_of(fd);
        if (file == -2)
                return;
        if (created) {
                (void)note(CREATE, file);
        } else if (synced) {
                (void)note(file < 0 ? SYNC_NAMES : SYNC_FILE, file);
        } else if (cut) {
                assert_int_equal(fstat(fd, &st), 0);
                assert_int_equal(st.st_size, 0); /* nothing is cut off in these plays */
        } else {
                s = note(WRITE, file);
                s->at = (uint64_t)atoll(comma + 1);
                s->size = (size_t)call->result;
                s->data = malloc(s->size);
                assert_int_equal(pread(fd, s->data, s->size, (off_t)s->at), s->size);
        }
}

/* ---- what may be left ------------------------------------------------------------------------------------------------------------------ */

struct sector {
        unsigned file, versions, chosen;
        off_t at;
        unsigned char data[VERSIONS][SECTOR];
        size_t end[VERSIONS]; /* bytes of it that the file had by then */
};
static struct disk {
        struct sector sector[SECTORS];
        unsigned sectors;
        bool made[FILES], named[FILES], kept[FILES]; /* a name that is not synced may be kept */
        off_t size[FILES];
        bool grown; /* files have their full size */
} disk;

static struct sector *sector_of(unsigned file, off_t at)
{
        struct sector *s;

        for (unsigned i = 0; i < disk.sectors; i++)
                if (disk.sector[i].file == file && disk.sector[i].at == at)
                        return &disk.sector[i];
        assert_true(disk.sectors < SECTORS);
        s = &disk.sector[disk.sectors++];
        *s = (struct sector){ .file = file, .at = at, .versions = 1 };
        return s;
}

static void write_sectors(const struct step *step)
{
        off_t end = (off_t)(step->at + step->size);

        for (off_t at = (off_t)step->at; at < end;) {
                struct sector *s = sector_of(step->file, at - at % SECTOR);
                size_t from = (size_t)(at % SECTOR), size = MIN((size_t)(end - at), SECTOR - from);
                unsigned last = s->versions - 1;
                unsigned char now[SECTOR];

                memcpy(now, s->data[last], SECTOR);
                memcpy(now + from, step->data + (at - (off_t)step->at), size);
                if (memcmp(now, s->data[last], SECTOR) != 0) {
                        assert_true(s->versions < VERSIONS);
                        memcpy(s->data[++last], now, SECTOR);
                        s->end[last] = s->end[last - 1];
                        s->versions++;
                }
                s->end[last] = MAX(s->end[last], from + size);
                at += (off_t)size;
        }
        disk.size[step->file] = MAX(disk.size[step->file], end);
}

static void sync_sectors(unsigned file)
{
        for (unsigned i = 0; i < disk.sectors; i++) {
                struct sector *s = &disk.sector[i];

                if (s->file != file || s->versions == 1)
                        continue;
                memcpy(s->data[0], s->data[s->versions - 1], SECTOR);
                s->end[0] = s->end[s->versions - 1];
                s->versions = 1;
        }
}

static void apply(const struct step *s)
{
        switch (s->what) {
        case WRITE:
                write_sectors(s);
                break;
        case CREATE:
                disk.made[s->file] = true;
                break;
        case SYNC_FILE:
                sync_sectors(s->file);
                break;
        case SYNC_NAMES:
                memcpy(disk.named, disk.made, sizeof(disk.made));
                break;
        case ACKNOWLEDGED:
        case DONE:
                break;
        }
}

/* The next of all states, as an odometer: false after the last. */
static bool next_state(void)
{
        for (unsigned i = 0; i < disk.sectors; i++) {
                if (++disk.sector[i].chosen < disk.sector[i].versions)
                        return true;
                disk.sector[i].chosen = 0;
        }
        for (unsigned i = 0; i < name_count; i++)
                if (disk.made[i] && !disk.named[i]) {
                        disk.kept[i] = !disk.kept[i];
                        if (disk.kept[i])
                                return true;
                }
        disk.grown = !disk.grown;
        return disk.grown;
}

static uint32_t luck;
static uint32_t draw(uint32_t below)
{
        luck = luck * 1664525 + 1013904223;
        return (luck >> 8) % below;
}

static void draw_state(void)
{
        for (unsigned i = 0; i < disk.sectors; i++)
                disk.sector[i].chosen = draw(disk.sector[i].versions);
        for (unsigned i = 0; i < name_count; i++)
                disk.kept[i] = draw(2);
        disk.grown = draw(2);
}

static uint64_t count_states(void)
{
        uint64_t n = 2;

        for (unsigned i = 0; i < disk.sectors; i++)
                n *= disk.sector[i].versions;
        for (unsigned i = 0; i < name_count; i++)
                n *= disk.made[i] && !disk.named[i] ? 2 : 1;
        return n;
}

/* Puts the chosen state where the log is. */
static void lay_out(void)
{
        char name[400];
        int fd[FILES];

        empty(path);
        assert_int_equal(mkdir(path, 0700), 0);
        (void)snprintf(name, sizeof(name), "%s/control", path);
        (void)close(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        for (unsigned i = 0; i < name_count; i++) {
                (void)snprintf(name, sizeof(name), "%s/%s", path, names[i]);
                fd[i] = disk.named[i] || (disk.made[i] && disk.kept[i]) ? open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : -1;
        }
        for (unsigned i = 0; i < disk.sectors; i++) {
                const struct sector *s = &disk.sector[i];

                if (fd[s->file] >= 0 && s->end[s->chosen])
                        assert_int_equal(pwrite(fd[s->file], s->data[s->chosen], s->end[s->chosen], s->at), s->end[s->chosen]);
        }
        for (unsigned i = 0; i < name_count; i++)
                if (fd[i] >= 0) {
                        if (disk.grown)
                                assert_int_equal(ftruncate(fd[i], disk.size[i]), 0);
                        (void)close(fd[i]);
                }
}

/* ---- what must hold -------------------------------------------------------------------------------------------------------------------- */

/* To close what sleeps on inotify(7) takes the kernel long, and nobody sleeps here. */
static int without_inotify(struct sys_call *call)
{
        if (strcmp(call->site->call, "inotify_init1") == 0)
                call->result = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        else if (strcmp(call->site->call, "inotify_add_watch") == 0)
                call->result = 1;
        else
                return 0;
        return 1;
}

static void after_call(struct sys_call *call)
{
}

static char room[5000];

static int next_number(struct ipw_link *in)
{
        struct ipw_message m = { .data = room, .capacity = sizeof(room) };
        ssize_t n = ipw_recv(in, &m, 0);

        if (n < 0)
                return (int)n;
        assert_true(talk_good(room, m.size));
        return (int)get_le32(room + 4);
}

static bool write_on(void)
{
        struct ipw_why why = { 0 };
        struct ipw_link *out;
        char data[30];

        if (ipw_open(&out, address, IPW_PUSH, 0, &why) < 0) {
                assert_int_equal(why.error, EBADMSG);
                return false;
        }
        talk_fill(data, sizeof(data), 9, FRESH);
        assert_int_equal(talk_send(out, data, sizeof(data), 0), sizeof(data));
        (void)ipw_close(out);
        return true;
}

/* The first `acknowledged` messages are on stable storage, and those of `done` (bits) were acknowledged by their receiver. */
static void check_state(unsigned until, unsigned acknowledged, uint64_t done)
{
        struct ipw_link *in;
        uint64_t came = 0;
        bool goes_on, fresh_came = false;
        unsigned n = 0;
        int number;

        lay_out();
        in = open_with("", IPW_SUB);
        while (n < acknowledged && (number = next_number(in)) >= 0)
                assert_int_equal(number, n++);
        (void)ipw_close(in);
        if (n < acknowledged)
                fail_msg("power lost after step %u: %u were acknowledged, %u are there", until, acknowledged, n);
        goes_on = write_on();
        in = open_with("?ack=consumer&damage=skip", IPW_PULL);
        while ((number = next_number(in)) >= 0) {
                assert_true(number == FRESH || !(came >> number & 1)); /* once */
                fresh_came |= number == FRESH;
                came |= number == FRESH ? 0 : 1ull << number;
        }
        assert_int_equal(number, goes_on ? -EAGAIN : -EBADMSG);
        (void)ipw_close(in);
        for (unsigned i = 0; i < acknowledged; i++)
                if (!((came | done) >> i & 1))
                        fail_msg("power lost after step %u: %u was acknowledged, nobody was done with it, and it does not come", until, i);
        if (goes_on && !fresh_came)
                fail_msg("power lost after step %u: what was sent later does not come", until);
}

/* At every step: all states, or if there are more than that, `most` of them. How many there were where some were left out. */
static uint64_t replay(uint64_t most)
{
        static const struct sys_hook hook = { without_inotify, after_call };
        unsigned acknowledged = 0;
        uint64_t done = 0, left_out = 0;

        memset(&disk, 0, sizeof(disk));
        luck = 1;
        sys_hook = &hook;
        for (unsigned until = 0; until <= step_count; until++) {
                uint64_t states;

                if (until) {
                        const struct step *s = &steps[until - 1];

                        apply(s);
                        acknowledged = s->what == ACKNOWLEDGED ? (unsigned)s->at : acknowledged;
                        done |= s->what == DONE ? 1ull << s->at : 0;
                        if (s->what == ACKNOWLEDGED || s->what == DONE || s->what == SYNC_FILE || s->what == SYNC_NAMES)
                                continue; /* nothing is there that was not before; what must be is asked with the next write */
                }
                states = count_states();
                if (states <= most) {
                        do {
                                check_state(until, acknowledged, done);
                        } while (next_state());
                } else {
                        left_out += states;
                        for (uint64_t i = 0; i < most; i++) {
                                draw_state();
                                check_state(until, acknowledged, done);
                        }
                        for (unsigned i = 0; i < disk.sectors; i++)
                                disk.sector[i].chosen = 0;
                        memset(disk.kept, 0, sizeof(disk.kept));
                        disk.grown = false;
                }
        }
        sys_hook = NULL;
        for (unsigned i = 0; i < step_count; i++)
                free(steps[i].data);
        return left_out;
}

/* ---- the plays ------------------------------------------------------------------------------------------------------------------------- */

static const struct sys_hook recorder = { take_down_before, take_down };
static unsigned sent;

static void begin_play(void)
{
        step_count = name_count = sent = 0;
        memset(steps, 0, sizeof(steps));
        sys_hook = &recorder;
}

static void put(struct ipw_link *out, size_t size, bool acknowledged)
{
        char data[4200];

        talk_fill(data, size, 1, sent++);
        assert_int_equal(talk_send(out, data, size, IPW_FOREVER), size);
        if (acknowledged)
                note(ACKNOWLEDGED, 0)->at = sent;
}

static void get(struct ipw_link *in, bool acknowledge)
{
        struct ipw_message m = { .data = room, .capacity = sizeof(room) };

        assert_true(ipw_recv(in, &m, 0) > 0);
        if (!acknowledge)
                return;
        note(DONE, 0)->at = get_le32(room + 4); /* from when it is said on, it may be so */
        assert_int_equal(ipw_ack(in, &m), 0);
}

/* Small messages around the end of a segment, to the disk or not, and a receiver that is done with some. */
static void test_every_state(void **state)
{
        struct ipw_link *disk_end, *queued, *in;

        begin_play();
        disk_end = open_with("?segment=4K&ack=disk", IPW_PUSH);
        queued = open_with("?segment=4K", IPW_PUSH);
        put(disk_end, 3800, true);
        in = open_with("?ack=consumer", IPW_PULL);
        put(queued, 40, false);
        get(in, true);
        get(in, true); /* not on stable storage */
        put(disk_end, 40, true);
        get(in, false);
        put(queued, 150, false); /* the next segment */
        put(queued, 30, false);
        get(in, true);
        get(in, true);
        put(disk_end, 20, true);
        get(in, false);
        put(queued, 25, false);
        (void)ipw_close(in);
        (void)ipw_close(queued);
        (void)ipw_close(disk_end);
        assert_int_equal(replay(20000), 0); /* none was left out */
        assert_int_equal(name_count, 3);
}

/* Larger ones, over several segments, with a group commit, and by a writer that is alone. */
static void test_many_states(void **state)
{
        struct ipw_link *disk_end, *queued, *in;
        char data[500];

        begin_play();
        disk_end = open_with("?segment=4K&ack=disk", IPW_PUSH);
        queued = open_with("?segment=4K", IPW_PUSH);
        in = open_with("?ack=consumer", IPW_PULL);
        for (unsigned i = 0; i < 9; i++) {
                put(i % 3 == 2 ? disk_end : queued, 100 + i * 97 % 1300, i % 3 == 2);
                if (i % 2)
                        get(in, i % 4 == 1);
        }
        (void)ipw_close(in);
        (void)ipw_close(queued);
        for (unsigned i = 0; i < 3; i++) {
                struct ipw_message m = { .data = data, .size = sizeof(data), .flags = IPW_DEFER };

                talk_fill(data, sizeof(data), 1, sent++);
                assert_int_equal(ipw_send(disk_end, &m, 0), -EINPROGRESS);
        }
        assert_int_equal(ipw_flush(disk_end, IPW_FOREVER), 0);
        note(ACKNOWLEDGED, 0)->at = sent;
        (void)ipw_close(disk_end);
        queued = open_with("?segment=4K&ack=disk&writers=1", IPW_PUSH);
        put(queued, 50, true);
        (void)ipw_close(queued);
        (void)replay(40);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_every_state, fresh),
                cmocka_unit_test_setup(test_many_states, fresh),
        };
        int r;

        name_folder();
        janitor_start(clean);
        r = cmocka_run_group_tests(tests, NULL, NULL);
        clean();
        return r;
}

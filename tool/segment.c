/* SPDX-License-Identifier: MIT */
/*
 * ipcway segment: raw shared memory from a shell.
 *
 * Memory keeps no one waiting and says nothing: a reader may see half of what a writer is just writing. --guard takes a turn at a gate around the copy, and
 * only around that: what goes to a slow pipe was copied before.
 *
 * Messages of ours lie in the same kinds of memory. Raw bytes over them would destroy what others have sent, so that needs --force.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "ipcway.h"
#include "json.h"
#include "nearest.h"
#include "number.h"
#include "output.h"
#include "say.h"
#include "table.h"
#include "trace.h"
#include "turn.h"

#define FORMATS "text|raw|hex"

static struct {
        int shared, force, once, json, trace, format;
        int64_t offset, size, timeout;
        const char *guard;
        struct list options;
} set = { .size = -1, .timeout = IPW_FOREVER };

static const struct setting settings[] = {
        { SETTING_NUMBER, 0, "offset", "N", &set.offset, "read, write: begin at this byte (standard: 0)" },
        { SETTING_NUMBER, 0, "size", "N", &set.size, "create, resize: bytes of it; read: bytes to read (64K, 16M)" },
        { SETTING_WORD, 0, "format", FORMATS, &set.format, "read: text stops at the first NUL" },
        { SETTING_TEXT, 0, "guard", "GATE", &set.guard, "read, write: only while holding this lock or semaphore" },
        { SETTING_FLAG, 's', "shared", NULL, &set.shared, "with --guard: together with others who say so" },
        { SETTING_FLAG, 'n', "try", NULL, &set.once, "with --guard: do not wait" },
        { SETTING_TIME, 'w', "timeout", "T", &set.timeout, "with --guard: wait no longer than T (500ms, 3s)" },
        { SETTING_FLAG, 'f', "force", NULL, &set.force,
          "create: fine if it exists; remove: fine if it does not; write, resize: also over messages" },
        { SETTING_FLAG, 0, "json", NULL, &set.json, "info: JSON instead of a table" },
        { SETTING_LIST, 'O', "O", "KEY=VALUE", &set.options, "an option of the address, as ?key=value does" },
        { SETTING_FLAG, 0, "trace", NULL, &set.trace, "show every system call of the library on stderr, and what it is for" },
        { 0 },
};

static int fail(const struct ipw_segment *s)
{
        struct ipw_why why;

        ipw_segment_why(s, &why);
        return say_why(&why);
}

static int open_it(struct ipw_segment **s, const struct target *t, unsigned how)
{
        struct ipw_why why = { 0 };

        return ipw_segment_open(s, t->text, how, &why) < 0 ? say_why(&why) : DONE;
}

static int facts_of(struct ipw_segment *s, struct ipw_segment_facts *facts)
{
        return ipw_segment_facts(s, facts) < 0 ? fail(s) : DONE;
}

/* Bytes that are no messages; or the user insists. */
static int check_raw(const struct target *t, struct ipw_segment *s)
{
        struct ipw_segment_facts facts;
        int status = facts_of(s, &facts);

        if (status != DONE || !facts.ring || set.force)
                return status;
        say_error("%s: holds messages, and raw bytes would destroy them; if that is meant, add --force", t->text);
        return FAILED;
}

/* Around the copy: 1 if there is a gate to give back. */
static int begin(struct turn *turn, struct target *gate, int *status)
{
        static const char *const any[][2] = { { "kind", "any" }, { "undo", "1" }, { NULL } };

        *status = DONE;
        if (!set.guard)
                return 0;
        *turn = (struct turn){
                .target = gate, .timeout = set.once ? 0 : set.timeout, .mode = set.shared ? IPW_SHARED : 0, .refused = TIMED_OUT
        };
        *status = turn_target(gate, set.guard, "lock", NULL, any);
        if (*status == DONE)
                *status = turn_begin(turn, 0);
        if (*status == OURS_FAILED)
                *status = FAILED;
        return *status == DONE;
}

static int copy(char *to, const char *from, size_t size)
{
        struct target gate;
        struct turn turn;
        int status, held = begin(&turn, &gate, &status);

        if (status != DONE)
                return status;
        memcpy(to, from, size);
        if (held && turn_end(&turn, DONE) != DONE)
                return FAILED;
        return DONE;
}

/* ---- verbs ----------------------------------------------------------------------------------------------------------------------------- */

static int create(const struct target *t, const struct arguments *a)
{
        struct ipw_segment *s;
        int status;

        if (t->mechanism->anonymous || strcmp(t->mechanism->scheme, "fd") == 0) {
                say_error("%s has no name, and would be gone as soon as this command ends", t->mechanism->scheme);
                return WRONG_USAGE;
        }
        status = open_it(&s, t, set.force ? 0 : IPW_FRESH);
        return status == DONE && ipw_segment_close(s) < 0 ? FAILED : status;
}

/* Standard input, up to one byte more than fits. */
static int read_input(char **out, size_t *size, size_t room)
{
        size_t have = 0, some = 65536;
        char *data = NULL;

        for (;;) {
                char *larger = realloc(data, have + some);
                ssize_t n;

                if (!larger) {
                        free(data);
                        say_error("no memory for what standard input says");
                        return FAILED;
                }
                data = larger;
                do
                        n = read(STDIN_FILENO, data + have, some);
                while (n < 0 && errno == EINTR);
                if (n < 0)
                        say_error("cannot read standard input: %s", strerror(errno));
                if (n < 0)
                        free(data);
                if (n < 0)
                        return FAILED;
                have += (size_t)n;
                if (n == 0 || have > room)
                        break;
        }
        *out = data;
        *size = have;
        return DONE;
}

static int write_to(const struct target *t, struct ipw_segment *s, const char *word)
{
        size_t size, bytes, room;
        char *data = ipw_segment_data(s, &size), *given = NULL;
        int status = check_raw(t, s);

        if (status != DONE)
                return status;
        room = (size_t)set.offset < size ? size - (size_t)set.offset : 0;
        bytes = word ? strlen(word) : 0;
        if (!word)
                status = read_input(&given, &bytes, room);
        if (status == DONE && bytes > room)
                say_error("%s: has %zu bytes, and what is to be written does not fit from byte %lld on; nothing was written", t->text, size,
                          (long long)set.offset);
        if (status == DONE && bytes > room)
                status = FAILED;
        else if (status == DONE)
                status = copy(data + set.offset, word ? word : given, bytes);
        free(given);
        return status;
}

static int write_it(const struct target *t, const struct arguments *a)
{
        struct ipw_segment *s;
        int status = open_it(&s, t, IPW_EXISTING);

        if (status != DONE)
                return status;
        status = write_to(t, s, a->count > 2 ? a->word[2] : NULL);
        (void)ipw_segment_close(s);
        return status;
}

static int read_from(const struct target *t, struct ipw_segment *s)
{
        static const enum output_format formats[] = { OUTPUT_TEXT, OUTPUT_RAW, OUTPUT_HEX };
        struct ipw_message m = { 0 };
        size_t size;
        char *data = ipw_segment_data(s, &size);
        int status, r;

        if ((size_t)set.offset > size || (set.size >= 0 && (size_t)set.size > size - (size_t)set.offset)) {
                say_error("%s: has %zu bytes; there are not as many from byte %lld on", t->text, size, (long long)set.offset);
                return FAILED;
        }
        m.size = set.size >= 0 ? (size_t)set.size : size - (size_t)set.offset;
        m.data = malloc(m.size + 1);
        if (!m.data) {
                say_error("no memory for a copy of %zu bytes; take --size of them at a time", m.size);
                return FAILED;
        }
        status = copy(m.data, data + set.offset, m.size);
        if (status == DONE) {
                if (set.format == OUTPUT_TEXT)
                        m.size = strnlen(m.data, m.size);
                r = output_message(STDOUT_FILENO, formats[set.format], isatty(STDOUT_FILENO), &m);
                if (r < 0)
                        say_error("cannot write: %s", strerror(-r));
                status = r < 0 ? FAILED : DONE;
        }
        free(m.data);
        return status;
}

static int read_it(const struct target *t, const struct arguments *a)
{
        struct ipw_segment *s;
        int status = open_it(&s, t, IPW_READ_ONLY);

        if (status != DONE)
                return status;
        status = read_from(t, s);
        (void)ipw_segment_close(s);
        return status;
}

static int print_json(const struct target *t, const struct ipw_segment_facts *f)
{
        char mode[8];
        json_t *all;

        (void)snprintf(mode, sizeof(mode), "%04o", f->mode);
        all = json_pack("{s:s,s:s,s:I,s:i,s:i,s:s,s:b}", "address", t->text, "mechanism", t->mechanism->scheme, "size", (json_int_t)f->size,
                        "uid", (int)f->uid, "gid", (int)f->gid, "mode", mode, "messages", f->ring);
        if (f->id >= 0)
                (void)json_object_set_new(all, "id", json_integer(f->id));
        if (f->users >= 0)
                (void)json_object_set_new(all, "users", json_integer((json_int_t)f->users - 1));
        return json_print(all);
}

static int info(const struct target *t, const struct arguments *a)
{
        struct ipw_segment_facts f;
        struct ipw_segment *s;
        int status = open_it(&s, t, IPW_READ_ONLY);

        if (status != DONE)
                return status;
        status = facts_of(s, &f);
        (void)ipw_segment_close(s);
        if (status != DONE)
                return status;
        if (set.json)
                return print_json(t, &f);
        printf("%s  %s\n\n  size   %zu bytes\n  owner  uid %u, gid %u\n  mode   %04o\n", t->text, t->mechanism->summary, f.size, f.uid,
               f.gid, f.mode);
        if (f.id >= 0)
                printf("  id     %d\n", f.id);
        if (f.users >= 0)
                printf("  users  mapped %lld times beside this command\n", (long long)f.users - 1);
        else
                printf("  users  the kernel does not say\n");
        printf("  holds  %s\n", f.ring ? "messages; see: ipcway describe" : "raw bytes");
        return say_finish();
}

static int resize(const struct target *t, const struct arguments *a)
{
        struct ipw_segment *s;
        int status;

        if (set.size < 1) {
                say_error("segment resize: needs --size");
                return WRONG_USAGE;
        }
        status = open_it(&s, t, IPW_EXISTING);
        if (status != DONE)
                return status;
        status = check_raw(t, s);
        if (status == DONE && ipw_segment_resize(s, (size_t)set.size) < 0)
                status = fail(s);
        (void)ipw_segment_close(s);
        return status;
}

static int remove_it(const struct target *t, const struct arguments *a)
{
        struct ipw_why why = { 0 };
        int r = ipw_remove(t->text, &why);

        return r < 0 && !(r == -ENOENT && set.force) ? say_why(&why) : DONE;
}

static const struct {
        const char *name;
        int (*run)(const struct target *, const struct arguments *);
        int words; /* behind the address */
} verbs[] = { { "create", create, 0 }, { "write", write_it, 1 }, { "read", read_it, 0 },
              { "info", info, 0 },     { "resize", resize, 0 },  { "remove", remove_it, 0 } };

static int read_target(struct target *t, const char *word, int creates)
{
        char number[24];
        int status = target_named(t, word, "shm", &set.options, NULL);

        if (status == DONE && !t->mechanism->segment) {
                say_error("%s is no shared memory; shm:, shm+file:, shm+sysv: and shm+anon: are", t->mechanism->scheme);
                return WRONG_USAGE;
        }
        if (status != DONE || !creates || set.size < 0)
                return status;
        (void)snprintf(number, sizeof(number), "%lld", (long long)set.size);
        if (target_extend(t->text, sizeof(t->text), "size", number))
                return DONE;
        say_error("%s: cannot have --size %s", t->text, number);
        return WRONG_USAGE;
}

static int run(const struct arguments *a)
{
        struct target target;
        int status;

        for (size_t i = 0; a->count && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
                if (strcmp(a->word[0], verbs[i].name) != 0)
                        continue;
                if (a->count < 2 || a->count > 2 + verbs[i].words || a->dashes || set.offset < 0) {
                        say_error("segment %s: needs ADDR%s; see: ipcway help segment", verbs[i].name,
                                  verbs[i].words ? " and at most one text" : " and nothing else");
                        return WRONG_USAGE;
                }
                status = read_target(&target, a->word[1], verbs[i].run == create);
                if (status != DONE)
                        return status;
                if (set.trace)
                        trace_start();
                return verbs[i].run(&target, a);
        }
        nearest_verb("segment", command_segment.verbs, a->count ? a->word[0] : NULL);
        return WRONG_USAGE;
}

const struct command command_segment = {
        .name = "segment",
        .group = "Share",
        .arguments = "VERB NAME|ADDR [TEXT]",
        .verbs = "create|write|read|info|resize|remove",
        .bare = "shm",
        .summary = "raw shared memory: make it, write and read its bytes",
        .text = "  create   make it, of --size zeros; fails if it exists\n"
                "  write    put TEXT, or standard input, at --offset\n"
                "  read     print --size bytes from --offset, or all; text up to the first NUL\n"
                "  info     size, owner, who uses it where the kernel knows\n"
                "  resize   make it larger or smaller: shm: and shm+file:\n"
                "  remove   remove it\n"
                "\n"
                "NAME is that of POSIX shared memory: /frames. Others are shm+file:PATH and shm+sysv:PATH#PROJ. Programs that know only shm_open, shmget\n"
                "or mmap see the same bytes. Nothing orders readers and writers, unless --guard names the same lock or semaphore on both sides.\n"
                "\n"
                "  ipcway segment create /state --size 4K; ipcway segment write /state hello; ipcway segment read /state\n"
                "  ipcway segment write shm+file:/tmp/state --guard /tmp/state.lock <new-state\n",
        .settings = settings,
        .run = run,
};

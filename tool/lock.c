/* SPDX-License-Identifier: MIT */
/*
 * ipcway lock: a program that runs only while nobody else does who asks for the same turn.
 *
 * Takes what flock(1) takes. Its own choice is kind=any, which excludes users of flock(1), of fcntl(2) locks and of OFD locks, since who writes
 * `lock /tmp/x` seldom knows which of them the others use. Who names a kind is told when a lock of another kind stands on the file.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "command.h"
#include "ipcway.h"
#include "number.h"
#include "say.h"
#include "trace.h"
#include "turn.h"

static struct {
        int shared, exclusive, once, trace, verbose, close, unlock, no_fork;
        int64_t timeout, refused;
        const char *shell;
        struct list options;
} set = { .timeout = IPW_FOREVER, .refused = TIMED_OUT };

static const struct setting settings[] = {
        { SETTING_FLAG, 's', "shared", NULL, &set.shared, "together with others who say so, but with nobody exclusive" },
        { SETTING_FLAG, 'x', "exclusive", NULL, &set.exclusive, "alone; that is what is done anyhow" },
        { SETTING_FLAG, 'e', "exclusive", NULL, &set.exclusive, NULL },
        { SETTING_FLAG, 'n', "try", NULL, &set.once, "do not wait" },
        { SETTING_FLAG, 0, "nonblock", NULL, &set.once, NULL },
        { SETTING_FLAG, 0, "nb", NULL, &set.once, NULL },
        { SETTING_TIME, 'w', "timeout", "T", &set.timeout, "wait no longer than T (500ms, 3s)" },
        { SETTING_TIME, 0, "wait", "T", &set.timeout, NULL },
        { SETTING_NUMBER, 'E', "conflict-exit-code", "N", &set.refused, "status N, not 124, when it was not got in time; and no words" },
        { SETTING_TEXT, 'c', "command", "LINE", &set.shell, "a line for sh, instead of -- CMD" },
        { SETTING_FLAG, 'o', "close", NULL, &set.close, NULL }, /* flock(1)'s: it is so anyhow */
        { SETTING_FLAG, 'u', "unlock", NULL, &set.unlock, NULL },
        { SETTING_FLAG, 'F', "no-fork", NULL, &set.no_fork, NULL },
        { SETTING_FLAG, 0, "verbose", NULL, &set.verbose, "say on stderr how long it took to get the lock" },
        { SETTING_LIST, 'O', "O", "KEY=VALUE", &set.options, "an option of the address: kind=ofd, permits=3, range=0-9" },
        { SETTING_FLAG, 0, "trace", NULL, &set.trace, "show every system call of the library on stderr, and what it is for" },
        { 0 },
};

static int is_directory(const struct target *t)
{
        char path[4352];
        struct stat st;

        return strcmp(t->mechanism->scheme, "lock") == 0 && target_name(t, path, sizeof(path)) == 0 && stat(path, &st) == 0 &&
               S_ISDIR(st.st_mode);
}

/* Nobody but flock(2) can lock a directory; everything else is locked in all ways at once. */
static int read_target(struct target *t, const char *word)
{
        static const char *const any[][2] = { { "kind", "any" }, { "undo", "1" }, { NULL } };
        static const char *const whole[][2] = { { "kind", "flock" }, { NULL } };
        int status = turn_target(t, word, "lock", &set.options, any);

        return status == DONE && is_directory(t) ? turn_target(t, word, "lock", &set.options, whole) : status;
}

/* "POSIX", "OFDLCK", "FLOCK": which of them does this address not see? */
static int is_blind_to(const char *address, const char *kind)
{
        if (strstr(address, "kind=any"))
                return 0;
        return strstr(address, "kind=flock") ? strcmp(kind, "FLOCK") != 0 : strcmp(kind, "FLOCK") == 0;
}

static void warn_of_others(const struct target *t)
{
        char path[4352], line[256], key[64];
        struct stat st;
        FILE *f;

        if (strcmp(t->mechanism->scheme, "lock") != 0 || target_name(t, path, sizeof(path)) < 0 || stat(path, &st) < 0)
                return;
        (void)snprintf(key, sizeof(key), " %02x:%02x:%lu ", major(st.st_dev), minor(st.st_dev), (unsigned long)st.st_ino);
        f = fopen("/proc/locks", "re");
        while (f && fgets(line, sizeof(line), f)) {
                char kind[16];

                /* "1: FLOCK  ADVISORY  WRITE 4711 08:02:1234 0 EOF"; "1: -> ..." is one who waits */
                if (!strstr(line, key) || sscanf(line, "%*d: %15s", kind) != 1 || !is_blind_to(t->text, kind))
                        continue;
                say_note("%s: another program holds a lock of another kind (%s) on this file, which this one does not see; kind=any does",
                         path, strcmp(kind, "FLOCK") == 0 ? "flock" : "fcntl");
                break;
        }
        if (f)
                (void)fclose(f);
}

static int run(const struct arguments *a)
{
        static char shell[] = "sh", minus_c[] = "-c";
        char *line[] = { shell, minus_c, (char *)(uintptr_t)set.shell, NULL };
        char **argv = set.shell ? line : a->rest;
        struct target target;
        struct turn turn = { .target = &target };
        int64_t start;
        int status;

        if (a->count != 1 || (set.shell ? a->dashes : a->rest_count < 1) || (set.shared && set.exclusive)) {
                say_error("lock: needs FILE -- CMD, or FILE -c 'LINE'; see: ipcway help lock");
                return OURS_FAILED;
        }
        if (set.unlock || set.no_fork) {
                say_error("lock: %s is flock(1)'s, and not offered: %s", set.unlock ? "-u" : "-F",
                          set.unlock ? "the lock is given back when CMD has ended" : "ipcway stays beside CMD, to give the lock back");
                return OURS_FAILED;
        }
        if (set.refused < 0 || set.refused > 255) {
                say_error("lock: a status is a number from 0 to 255");
                return OURS_FAILED;
        }
        if (read_target(&target, a->word[0]) != DONE)
                return OURS_FAILED;
        if (set.trace)
                trace_start();
        turn.timeout = set.once ? 0 : set.timeout;
        turn.mode = set.shared ? IPW_SHARED : 0;
        turn.refused = (int)set.refused;
        start = now();
        status = turn_begin(&turn, 0);
        if (status != DONE || !turn.gate)
                return status;
        if (set.verbose)
                say_note("got the lock after %.6f s; running %s", (double)(now() - start) / 1e9, argv[0]);
        warn_of_others(&target);
        return turn_end(&turn, turn_run(&turn, argv, "lock"));
}

const struct command command_lock = {
        .name = "lock",
        .group = "Turns",
        .arguments = "FILE|ADDR -- CMD",
        .bare = "lock",
        .summary = "run a program while nobody else has the lock",
        .text = "Waits for the lock, runs CMD, gives the lock back when CMD has ended, however it ends. The file is made if it is not there and stays.\n"
                "It excludes users of flock(1), fcntl(2) and OFD locks alike, unless kind= says which. A semaphore will do as well: sem:/jobs.\n"
                "If ipcway itself is killed, CMD is, too. Signals are passed on to CMD.\n"
                "\n"
                "Status: that of CMD, 128+N if signal N killed it; 124 not got in time (-E: another), 125 ipcway failed, 126 CMD cannot be run, 127 it is not\n"
                "there.\n"
                "\n"
                "  ipcway lock /tmp/backup.lock --try -- backup.sh\n"
                "  ipcway lock ~/.config/app.conf --shared -- cat ~/.config/app.conf\n"
                "  ipcway lock lock:/tmp/three?permits=3 -- convert a.png b.jpg\n",
        .settings = settings,
        .run = run,
        .wrapper = "",
};

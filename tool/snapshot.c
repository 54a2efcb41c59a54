/* SPDX-License-Identifier: MIT */
/*
 * ipcway snapshot: everything of now, kept for a comparison. What processes do is their own affair, so the file is for its owner alone, also if it was there before.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "picture.h"
#include "say.h"
#include "trace.h"

static struct {
        int trace;
} set;

static const struct setting settings[] = {
        { SETTING_FLAG, 0, "trace", NULL, &set.trace, "show every system call of the library on stderr, and what it is for" },
        { 0 },
};

static int write_file(const struct picture *picture, const char *path)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600), r = 0;
        struct stat st;
        FILE *f;

        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fchmod(fd, 0600) < 0)
                r = -errno;
        f = fd >= 0 && r == 0 ? fdopen(fd, "w") : NULL;
        if (!f) {
                r = r ? r : -errno;
                if (fd >= 0)
                        (void)close(fd);
        } else {
                r = picture_write(picture, f);
                if (fclose(f) == EOF && r == 0)
                        r = -errno;
        }
        if (r < 0)
                say_error("snapshot: %s: %s", path, strerror(-r));
        return r < 0 ? FAILED : DONE;
}

static int picture_print(const struct picture *picture)
{
        int r = picture_write(picture, stdout);

        if (r < 0)
                say_error("cannot write to stdout: %s", strerror(-r));
        return r < 0 ? FAILED : DONE;
}

static int run(const struct arguments *a)
{
        struct picture picture;
        int status;

        if (a->count > 1) {
                say_error("snapshot: at most one file: ipcway snapshot [FILE]");
                return WRONG_USAGE;
        }
        if (set.trace)
                trace_start();
        if (picture_take(&picture) < 0) /* before the file is opened, which would be in it */
                return FAILED;
        if (a->count && strcmp(a->word[0], "-") != 0)
                status = write_file(&picture, a->word[0]);
        else
                status = picture_print(&picture);
        picture_free(&picture);
        return status;
}

const struct command command_snapshot = {
        .name = "snapshot",
        .group = "See",
        .arguments = "[FILE]",
        .summary = "a picture of all processes and objects, for diff",
        .text = "JSON Lines: the first says when and where it was taken, then one for each process, object and wait, as ls and why have them. Without FILE, or\n"
                "with -, it goes to stdout; FILE is readable by its owner alone.\n"
                "\n"
                "  ipcway snapshot before; make test; ipcway diff before\n",
        .settings = settings,
        .run = run,
};

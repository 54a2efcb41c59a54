/* SPDX-License-Identifier: MIT */
/*
 * A file of lines by bare calls: who appends locks it, looks, writes, unlocks; who follows reads on from where it was, and sleeps in inotify(7) when there is no
 * more. That is the least that keeps lines whole and loses none. One stat(2) by name tells a writer whether others will still find what it appends (a log that
 * was rotated away or removed takes it without a word), and whether somebody has written since, who may have died in the middle of a line: then it looks at the
 * last byte. The library also asks how large the file may become, for it may not rely on SIGXFSZ being ignored, as a program can.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "way.h"

/* With its newline. */
static ssize_t line_of(const struct channel *c)
{
        return (ssize_t)c->size + 1;
}

static void make(struct channel *c, const char *dir)
{
        c->text = c->grows = 1;
        for (int i = 0; i < 2; i++) {
                int fd;

                (void)snprintf(c->names[i], sizeof(c->names[i]), "%s/raw-lines-%d", dir, i);
                fd = open(c->names[i], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
                if (fd < 0)
                        trouble("%s: %s", c->names[i], strerror(errno));
                close(fd);
        }
}

/* What this process appends to. */
static struct {
        int folder;
        const char *name; /* in it */
        ino_t inode;
        off_t end; /* where our last line ended */
} mine;

static void look(const struct channel *c)
{
        char last = '\n';
        struct stat st;

        if (fstatat(mine.folder, mine.name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_ino != mine.inode)
                trouble("%s: is another file now", mine.name);
        if (st.st_size != mine.end && st.st_size && (pread(c->out, &last, 1, st.st_size - 1) != 1 || last != '\n'))
                trouble("%s: ends in half a line", mine.name);
        mine.end = st.st_size + line_of(c);
}

/* fds: the events of what is followed, and the folder. */
static void join(struct channel *c, int side)
{
        char folder[sizeof(c->names[0])];
        struct stat st;

        c->messages = malloc((size_t)line_of(c));
        if (!c->messages)
                trouble("no memory");
        c->out = open(c->names[side], O_RDWR | O_APPEND | O_CLOEXEC);
        c->in = open(c->names[!side], O_RDONLY | O_CLOEXEC);
        c->fds[0] = inotify_init1(IN_CLOEXEC);
        if (c->out < 0 || c->in < 0 || c->fds[0] < 0 || inotify_add_watch(c->fds[0], c->names[!side], IN_MODIFY) < 0)
                trouble("%s: %s", c->names[side], strerror(errno));
        mine.name = strrchr(c->names[side], '/') + 1;
        (void)snprintf(folder, sizeof(folder), "%.*s", (int)(mine.name - c->names[side]), c->names[side]);
        mine.folder = c->fds[1] = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fstat(c->out, &st) < 0 || c->fds[1] < 0)
                trouble("%s: %s", folder, strerror(errno));
        mine.inode = st.st_ino;
}

static void lock(int fd, short type)
{
        struct flock whole = { .l_type = type };

        if (fcntl(fd, F_OFD_SETLKW, &whole) < 0)
                trouble("lock: %s", strerror(errno));
}

static void send_lines(struct channel *c, const char *messages, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                char *line = c->messages;

                memcpy(line, messages + i * c->size, c->size);
                line[c->size] = '\n';
                lock(c->out, F_WRLCK);
                look(c);
                if (write(c->out, line, (size_t)line_of(c)) != line_of(c))
                        trouble("write: %s", strerror(errno));
                lock(c->out, F_UNLCK);
        }
}

static size_t recv_line(struct channel *c, char *messages, size_t n)
{
        char *line = c->messages, events[4096];
        ssize_t have = 0;

        while (have < line_of(c)) { /* a line that goes over a page shows itself in two pieces */
                ssize_t r = read(c->in, line + have, (size_t)(line_of(c) - have));

                if (r == 0 && c->wait != BENCH_POLLING)
                        r = read(c->fds[0], events, sizeof(events)) > 0 ? 0 : -1;
                if (r < 0)
                        trouble("read: %s", strerror(errno));
                have += r;
        }
        if (line[c->size] != '\n')
                trouble("no whole line came");
        memcpy(messages, line, c->size);
        return 1;
}

static void unmake(struct channel *c)
{
        for (int i = 0; i < 2; i++)
                if (c->names[i][0])
                        (void)unlink(c->names[i]);
}

const struct bench_way raw_file = {
        .make = make, .join = join, .send = send_lines, .recv = recv_line, .unmake = unmake, .pair_only = 1, .no_loop = 1
};

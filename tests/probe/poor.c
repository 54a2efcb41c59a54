/* SPDX-License-Identifier: MIT */
/*
 * A recorded machine that lacks what newer kernels have, or what a container, a security module or a kernel's builder took away. What is said then must still be true:
 * what can be found in another way is the same; what cannot is said to be unknown, and no deadlock is claimed that rests on it.
 */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "snapshot.h"

static const char sure[] = "circle, certain, circle", likely[] = "circle, likely, circle", circle[] = "circle,";

static const struct lack {
        const char *what, *op, *part;
        int error;
        const char *says[4], *never[2];
        bool same_waits; /* as in the whole one */
} lacks[] = {
        { "nothing", "read", "/syscall", 0, { sure, likely, "6 thread 6 waits in flock(2)" }, { 0 }, true },
        { "no /proc/PID/syscall",
          "read",
          "/syscall",
          -ENOENT,
          { "3 thread 3 sleeps; this kernel does not say in which call; the kernel's function that it sleeps in is anon_pipe_write",
            "hidden" },
          { circle, "waits in" },
          false },
        { "a security module that lets nobody trace",
          "read",
          "/syscall",
          -EPERM,
          { "3 thread 3 may not be looked into; as its user, or with CAP_SYS_PTRACE; the kernel's function that it sleeps in is anon_pipe_write" },
          { circle, "waits in" },
          false },
        { "no list of Unix sockets", "unix", "-", -ENOENT, { "not seen: Unix sockets", sure, likely }, { 0 }, false },
        { "no list of TCP and UDP sockets",
          "inet",
          "-",
          -ENOENT,
          { "callers-most: this kernel does not tell (unsupported)", "tcp:127.0.0.1:4711" },
          { 0 },
          true },
        { "no process_vm_readv(2)", "memory", "", -ENOSYS, { sure, likely, "8 thread 8 waits in poll(2)" }, { "for a mutex" }, false },
        { "no fdinfo",
          "read",
          "/fdinfo/",
          -EACCES,
          { "4 thread 4 waits in flock(2)", "count: needs CAP_SYS_PTRACE (denied)" },
          { circle },
          false },
        { "no namespaces", "link", "/ns/", -ENOENT, { sure, likely }, { "other namespaces" }, true },
        { "no list of locks", "read", "locks", -EACCES, { "not seen: file locks", "4 thread 4 waits in flock(2)" }, { circle }, false },
        { "no System V", "read", "sysvipc", -ENOENT, { sure, likely, "13 thread 13 waits in msgrcv(2)" }, { "mq+sysv" }, true },
        { "no maps", "read", "/maps", -EACCES, { sure, likely, "15 thread 15 waits in futex(2)" }, { "circle, possible" }, false },
        { "no mounts", "read", "mountinfo", -EACCES, { sure, "mq:/jobs", "not seen: POSIX queues" }, { 0 }, true },
};

static char *read_whole(const char *path, size_t *size)
{
        enum { LARGEST = 1 << 20 };
        char *text = malloc(LARGEST);
        FILE *f = fopen(path, "rb");

        if (!f || !text)
                err(2, "%s", path);
        *size = fread(text, 1, LARGEST, f);
        (void)fclose(f);
        return text;
}

static char *told_of(const char *recorded, size_t size, const struct lack *lack)
{
        struct machine machine;
        struct ipw_probe *p;
        struct ipw_why why;
        char *text;
        FILE *f;

        machine_read(&machine, recorded, size);
        if (lack->error && machine_lacks(&machine, lack->op, lack->part, lack->error) == 0)
                errx(1, "%s: was never asked", lack->what);
        if (probe_take(&p, &machine.source, IPW_PROBE_OBJECTS, &why) < 0)
                errx(1, "%s: %s", lack->what, why.text);
        f = open_memstream(&text, &size);
        if (!f)
                err(2, "room for words");
        machine_print(p, f);
        (void)fclose(f);
        ipw_probe_free(p);
        machine_free(&machine);
        return text;
}

/* What comes before the first object. */
static size_t waits_of(const char *text)
{
        const char *objects = strstr(text, "\npipe:[");

        return objects ? (size_t)(objects - text) : strlen(text);
}

int main(int argc, char **argv)
{
        char *recorded, *whole = NULL, *text;
        int faults = 0;
        size_t size;

        if (argc != 2)
                errx(2, "usage: poor MACHINE");
#if !defined(__x86_64__) || !defined(__LP64__)
        return 77; /* see replay.c */
#endif
        recorded = read_whole(argv[1], &size);
        for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++) {
                const struct lack *lack = &lacks[i];
                int before = faults;

                text = told_of(recorded, size, lack);
                whole = whole ? whole : strdup(text);
                for (size_t k = 0; k < 4 && lack->says[k]; k++)
                        if (!strstr(text, lack->says[k]) && ++faults)
                                fprintf(stderr, "%s: does not say \"%s\"\n", lack->what, lack->says[k]);
                for (size_t k = 0; k < 2 && lack->never[k]; k++)
                        if (strstr(text, lack->never[k]) && ++faults)
                                fprintf(stderr, "%s: says \"%s\"\n", lack->what, lack->never[k]);
                if (lack->same_waits && (!whole || waits_of(text) != waits_of(whole) || memcmp(text, whole, waits_of(text)) != 0) &&
                    ++faults)
                        fprintf(stderr, "%s: not the same waits\n", lack->what);
                if (faults > before)
                        fprintf(stderr, "%s\n", text);
                free(text);
        }
        free(whole);
        free(recorded);
        return faults > 0;
}

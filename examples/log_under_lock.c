/* SPDX-License-Identifier: MIT */
/*
 * The same under a lock of the kind you like:   ./log_under_lock ofd|posix|flock|any NAME [LOGFILE]     (start it several times)
 *
 * The kernel frees a lock when its holder dies, however it dies: nobody waits for a dead program. The naive version: one program uses flock() and the
 * other fcntl(), which do not see each other; fcntl() locks (kind=posix) lie on the log itself, and are gone as soon as any part of the process
 * closes another descriptor of it, or they are "inherited" by a child that has none; flock() is asked again by the same open file and is
 * granted. So: all say the same kind, the lock has a file of its own, and each handle has its own open file. kind=any is for not knowing what
 * the others use.
 */
#include <err.h>
#include <ipcway.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void write_entry(const char *path, const char *name, int number)
{
        FILE *log = fopen(path, "a"); /* opened and closed each time: that must not drop the lock */

        if (!log)
                err(1, "%s", path);
        fprintf(log, "%s: entry %d begins\n", name, number);
        fflush(log);
        fprintf(log, "%s: process %ld was here\n%s: entry %d ends\n", name, (long)getpid(), name, number);
        if (fclose(log) != 0)
                err(1, "%s", path);
}

int main(int argc, char **argv)
{
        const char *path = argc > 3 ? argv[3] : "logfile.txt";
        struct ipw_gate *lock;
        struct ipw_why why;
        char address[4200];

        if (argc < 3)
                errx(2, "usage: log_under_lock ofd|posix|flock|any NAME [LOGFILE]");
        snprintf(address, sizeof(address), "lock:%s.lock?kind=%s", path, argv[1]);
        if (ipw_gate_open(&lock, address, 0, &why) < 0)
                errx(1, "%s", why.text);
        for (int i = 1; i <= 5; i++) {
                if (ipw_gate_acquire(lock, 0, IPW_FOREVER) < 0) {
                        ipw_gate_why(lock, &why);
                        errx(1, "%s", why.text);
                }
                write_entry(path, argv[2], i);
                ipw_gate_release(lock);
        }
        return ipw_gate_close(lock);
}

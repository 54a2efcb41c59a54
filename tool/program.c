/* SPDX-License-Identifier: MIT */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "say.h"
#include "stop.h"

extern char **environ;

static void close_one(int *fd)
{
        if (*fd >= 0)
                (void)close(*fd);
        *fd = -1;
}

/* Signals are what they were when ipcway was started: nothing is blocked that was not, and a broken pipe kills again. */
static int spawn(pid_t *pid, char **argv, int in, int out)
{
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t usual;
        int r;

        stop_restored(&usual);
        (void)posix_spawn_file_actions_init(&actions);
        (void)posix_spawnattr_init(&attributes);
        r = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        if (r == 0)
                r = posix_spawnattr_setsigdefault(&attributes, &usual);
        if (r == 0)
                r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
        if (r == 0)
                r = posix_spawnp(pid, argv[0], &actions, &attributes, argv, environ);
        (void)posix_spawn_file_actions_destroy(&actions);
        (void)posix_spawnattr_destroy(&attributes);
        return -r;
}

int program_start(struct program *p, char **argv, const char *who)
{
        int in[2] = { -1, -1 }, out[2] = { -1, -1 }, r;

        *p = (struct program){ .ended = -1, .to = -1, .from = -1 };
        r = pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ? -errno : spawn(&p->pid, argv, in[0], out[1]);
        close_one(&in[0]);
        close_one(&out[1]);
        p->to = in[1];
        p->from = out[0];
        if (r == 0) {
                p->ended = (int)syscall(SYS_pidfd_open, p->pid, 0);
                if (p->ended >= 0)
                        return DONE;
                r = -errno;
                (void)kill(p->pid, SIGKILL);
                (void)program_wait(p);
        }
        p->pid = 0;
        program_close_to(p);
        program_close_from(p);
        say_error("%s: cannot run '%s': %s", who, argv[0], strerror(-r));
        return r == -ENOENT ? NOT_FOUND : r == -EACCES || r == -ENOEXEC ? CANNOT_RUN : OURS_FAILED;
}

void program_close_to(struct program *p)
{
        close_one(&p->to);
}

void program_close_from(struct program *p)
{
        close_one(&p->from);
}

int program_wait(struct program *p)
{
        int status = 0;

        while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
                ;
        p->pid = 0;
        close_one(&p->ended);
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

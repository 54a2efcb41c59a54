/* SPDX-License-Identifier: MIT */
#include "words.h"

#include <dirent.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "runner.h"

/* ---- judging ------------------------------------------------------------------------------------------------------------------------ */

void here(const char *file, int line)
{
        stage->line = line;
        stage->file = file;
}

static void tell(const char *text)
{
        if (write(stage->report, text, strlen(text)) < 0)
                _exit(3);
}

void fail(const char *file, int line, const char *format, ...)
{
        char text[700], *at = text;
        const char *name = strrchr(file, '/');
        va_list arguments;

        at += snprintf(text, sizeof(text), "FAIL: %s:%d: ", name ? name + 1 : file, line);
        va_start(arguments, format);
        (void)vsnprintf(at, (size_t)(text + sizeof(text) - at), format, arguments);
        va_end(arguments);
        tell(text);
        _exit(1);
}

void skip(const char *capability)
{
        char text[200];

        (void)snprintf(text, sizeof(text), "skip:%s", capability);
        tell(text);
        _exit(0);
}

const char *result_name(long long result)
{
        const char *name = result < 0 && result > -4096 ? strerrorname_np((int)-result) : NULL;

        return name ? name : "no error";
}

/* ---- other processes ---------------------------------------------------------------------------------------------------------------- */

struct shared *shared;

pid_t peer(struct run *run, void (*work)(struct run *, void *), void *argument)
{
        pid_t parent = getpid(), pid = fork();

        CHECK(pid >= 0, "fork: %s", strerror(errno));
        if (pid)
                return pid;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(4);
        work(run, argument);
        _exit(0);
}

void peer_end(pid_t pid)
{
        int status;

        CHECK(waitpid(pid, &status, 0) == pid, "waitpid: %s", strerror(errno));
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a peer ended with status 0x%x", status);
}

void peer_kill(pid_t pid)
{
        CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid, "cannot kill a peer: %s", strerror(errno));
}

static char await_state(pid_t pid, const char *wanted)
{
        char path[40], text[300], state;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        for (int tries = 0;; tries++) {
                FILE *f = fopen(path, "r");
                size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

                if (f)
                        (void)fclose(f);
                text[n] = 0;
                CHECK(n && strrchr(text, ')'), "a peer is gone that should sleep");
                state = strrchr(text, ')')[2];
                if (strchr(wanted, state))
                        return state;
                CHECK(tries < 20000, "a peer never goes to sleep, its state is %c", state);
                (void)nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
        }
}

void until_asleep(pid_t pid)
{
        (void)await_state(pid, "S");
}

bool until_at_rest(pid_t pid)
{
        return await_state(pid, "SZ") == 'S';
}

void step_to(uint32_t step)
{
        __atomic_store_n(&shared->step, step, __ATOMIC_RELEASE);
        (void)syscall(SYS_futex, &shared->step, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

void step_wait(uint32_t step)
{
        uint32_t now;

        while ((now = __atomic_load_n(&shared->step, __ATOMIC_ACQUIRE)) < step)
                (void)syscall(SYS_futex, &shared->step, FUTEX_WAIT, now, NULL, NULL, 0);
}

uint64_t mix(uint64_t x)
{
        x += 0x9e3779b97f4a7c15;
        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
        x = (x ^ x >> 27) * 0x94d049bb133111eb;
        return x ^ x >> 31;
}

unsigned any_number(unsigned below)
{
        static uint64_t state;

        state = mix(state + seed + (uint64_t)getpid());
        return (unsigned)(state >> 20) % below;
}

int count_fds(void)
{
        DIR *dir = opendir("/proc/self/fd");
        int n = -3; /* ".", ".." and the directory itself */

        CHECK(dir, "/proc/self/fd: %s", strerror(errno));
        while (readdir(dir))
                n++;
        (void)closedir(dir);
        return n;
}

/* SPDX-License-Identifier: MIT */
/* What this machine is, and which of its processors are where. */
#include <errno.h>
#include <gnu/libc-version.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "engine.h"
#include "ipcway.h"

/* The first line of a file, printable; "": there is none. */
static void line_of(const char *path, char *text, size_t room)
{
        FILE *f = fopen(path, "re");

        *text = 0;
        if (!f)
                return;
        if (!fgets(text, (int)room, f))
                *text = 0;
        text[strcspn(text, "\n")] = 0;
        (void)fclose(f);
}

/* -1: the kernel does not say. */
static int topology(int cpu, const char *what)
{
        char path[120], text[24];
        int value;

        (void)snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/topology/%s", cpu, what);
        line_of(path, text, sizeof(text));
        return sscanf(text, "%d", &value) == 1 ? value : -1; /* NOLINT(cert-err34-c) what is no number is not known */
}

static int fits(enum bench_place place, int a, int b)
{
        int same_socket = topology(a, "physical_package_id") == topology(b, "physical_package_id");

        if (place == BENCH_SAME_CORE)
                return a == b;
        if (place == BENCH_OTHER_SOCKET)
                return !same_socket;
        return a != b && same_socket && (topology(a, "core_id") < 0 || topology(a, "core_id") != topology(b, "core_id"));
}

int bench_place_find(enum bench_place place, int cpus[2])
{
        cpu_set_t set;

        if (sched_getaffinity(0, sizeof(set), &set) < 0)
                return -ENODEV;
        for (int a = 0; a < CPU_SETSIZE; a++)
                for (int b = 0; CPU_ISSET(a, &set) && b < CPU_SETSIZE; b++)
                        if (CPU_ISSET(b, &set) && fits(place, a, b)) {
                                cpus[0] = a;
                                cpus[1] = b;
                                return 0;
                        }
        return -ENODEV;
}

static void processor(struct bench_machine *m)
{
        FILE *f = fopen("/proc/cpuinfo", "re");
        char line[4096];
        int guest = 0;

        while (f && fgets(line, sizeof(line), f)) {
                char *value = strchr(line, ':');

                line[strcspn(line, "\n")] = 0;
                if (value && strncmp(line, "model name", 10) == 0 && !*m->processor)
                        (void)snprintf(m->processor, sizeof(m->processor), "%.90s", value + 2);
                if (value && strncmp(line, "flags", 5) == 0)
                        guest |= strstr(value, " hypervisor") != NULL;
        }
        if (f)
                (void)fclose(f);
        if (!*m->processor)
                (void)snprintf(m->processor, sizeof(m->processor), "unknown");
        line_of("/sys/class/dmi/id/sys_vendor", line, sizeof(line));
        if (guest)
                (void)snprintf(m->guest, sizeof(m->guest), "virtual machine%s%.24s", *line ? ", " : "", line);
}

void bench_machine_read(struct bench_machine *m)
{
        int sockets[64] = { 0 };
        struct utsname u;
        cpu_set_t set;

        *m = (struct bench_machine){ .when = (int64_t)time(NULL) };
        processor(m);
        if (uname(&u) == 0)
                (void)snprintf(m->kernel, sizeof(m->kernel), "%.30s %.40s %.20s", u.sysname, u.release, u.machine);
        (void)snprintf(m->libc, sizeof(m->libc), "glibc %.40s", gnu_get_libc_version());
#ifdef __clang__
        (void)snprintf(m->compiler, sizeof(m->compiler), "%.47s", "clang " __clang_version__);
#else
        (void)snprintf(m->compiler, sizeof(m->compiler), "%.47s", "gcc " __VERSION__);
#endif
        (void)snprintf(m->version, sizeof(m->version), "%s", IPW_VERSION);
        CPU_ZERO(&set);
        (void)sched_getaffinity(0, sizeof(set), &set);
        m->processors = (unsigned)CPU_COUNT(&set);
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
                if (CPU_ISSET(cpu, &set))
                        sockets[topology(cpu, "physical_package_id") & 63] = 1;
        for (size_t i = 0; i < 64; i++)
                m->sockets += (unsigned)sockets[i];
}

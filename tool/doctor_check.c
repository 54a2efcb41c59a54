/* SPDX-License-Identifier: MIT */
/*
 * The checks. A limit that nobody can come near (SHMMAX is 2^63 by now) is not looked at. Numbers come from /proc/sys as this command's namespaces have it, and
 * from a picture of all objects.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "doctor.h"
#include "number.h"

/* The numbers in a file of /proc; how many there were. */
static int read_numbers(const char *path, uint64_t *out, int most)
{
        FILE *f = fopen(path, "re");
        char line[256] = "", *at = line, *end;
        int n = 0;

        if (f && !fgets(line, sizeof(line), f))
                line[0] = 0;
        if (f)
                (void)fclose(f);
        for (; n < most; n++) {
                out[n] = strtoull(at, &end, 10);
                if (end == at)
                        break;
                at = end;
        }
        return n;
}

static bool read_number(const char *path, uint64_t *out)
{
        return read_numbers(path, out, 1) == 1;
}

static uint64_t number_of(const struct ipw_probe_object *o, const char *name)
{
        const struct ipw_probe_fact *f = ipw_probe_fact(o, name);

        return f && f->state == IPW_FACT_SEEN && f->number > 0 ? (uint64_t)f->number : 0;
}

/* ---- /dev/shm ----------------------------------------------------------------------------------------------------------------------------- */

void check_memory(struct findings *f)
{
        struct finding *item;
        struct statvfs fs;
        struct stat st;

        if (statvfs("/dev/shm", &fs) < 0 || stat("/dev/shm", &st) < 0) {
                item = find(f, WRONG, "/dev/shm");
                if (item) {
                        (void)snprintf(item->text, sizeof(item->text), "is not there: shm: and sem: fail");
                        (void)snprintf(item->remedy, sizeof(item->remedy),
                                       "mkdir -m 1777 /dev/shm && mount -t tmpfs -o nosuid,nodev shm /dev/shm");
                }
                return;
        }
        find_use(f, "/dev/shm", (uint64_t)(fs.f_blocks - fs.f_bfree) * fs.f_frsize, (uint64_t)fs.f_blocks * fs.f_frsize, true,
                 "ipcway ls shm --sort size shows who has it; mount -o remount,size=%lluM /dev/shm makes it larger",
                 (unsigned long long)(fs.f_blocks * fs.f_frsize * 2 >> 20) + 1);
        if (fs.f_files)
                find_use(f, "files in /dev/shm", fs.f_files - fs.f_ffree, fs.f_files, false,
                         "ipcway ls shm; mount -o remount,nr_inodes=%llu /dev/shm", (unsigned long long)fs.f_files * 2);
        if ((st.st_mode & 01777) == 01777)
                return;
        item = find(f, WRONG, "mode of /dev/shm");
        if (item) {
                (void)snprintf(item->text, sizeof(item->text), "is %04o: %s", st.st_mode & 07777,
                               st.st_mode & 01000 ? "not everybody can make shared memory" : "anybody can remove what is another's");
                (void)snprintf(item->remedy, sizeof(item->remedy), "chmod 1777 /dev/shm");
        }
}

/* ---- queues, System V ------------------------------------------------------------------------------------------------------------------------- */

static uint64_t count_of(const struct ipw_probe *p, const char *kind, const char *sum)
{
        const struct ipw_probe_object *o;
        uint64_t count = 0;
        size_t n;

        o = ipw_probe_objects(p, &n);
        for (size_t i = 0; i < n; i++)
                if (strcmp(o[i].kind, kind) == 0)
                        count += sum ? number_of(&o[i], sum) : 1;
        return count;
}

static size_t count_gaps(const struct ipw_probe *p, const char *begin)
{
        const char *const *gaps;
        size_t n, count = 0;

        gaps = ipw_probe_gaps(p, &n);
        for (size_t i = 0; i < n; i++)
                count += strncmp(gaps[i], begin, strlen(begin)) == 0;
        return count;
}

void check_queues(struct findings *f, const struct ipw_probe *p)
{
        struct finding *item;
        struct rlimit limit;
        uint64_t most;

        if (read_number("/proc/sys/fs/mqueue/queues_max", &most))
                find_use(f, "POSIX queues", count_of(p, "mq", NULL), most, false, "ipcway ls mq; sysctl -w fs.mqueue.queues_max=%llu",
                         (unsigned long long)most * 2 + 1);
        if (count_gaps(p, "POSIX queues") && (item = find(f, NOTE, "POSIX queues"))) {
                (void)snprintf(item->text, sizeof(item->text), "those that nobody has open are not seen, and not counted");
                (void)snprintf(item->remedy, sizeof(item->remedy), "mkdir -p /dev/mqueue && mount -t mqueue none /dev/mqueue");
        }
        if (getrlimit(RLIMIT_MSGQUEUE, &limit) < 0 || limit.rlim_cur >= 4096)
                return;
        item = find(f, WRONG, "memory for POSIX queues");
        if (item) {
                (void)snprintf(item->text, sizeof(item->text), "%llu B for each user: not even one queue fits",
                               (unsigned long long)limit.rlim_cur);
                (void)snprintf(item->remedy, sizeof(item->remedy), "ulimit -q 819200, or LimitMSGQUEUE= of its unit");
        }
}

/* ftok(3) says -1 when it fails; who takes that for a key shares its object with all who do. */
static void check_keys(struct findings *f, const struct ipw_probe *p)
{
        static const char bad[] = ":0xffffffff";
        const struct ipw_probe_object *o;
        size_t n;

        o = ipw_probe_objects(p, &n);
        for (size_t i = 0; i < n; i++) {
                size_t size = strlen(o[i].address);
                struct finding *item;

                if (!strstr(o[i].kind, "+sysv") || size < sizeof(bad) || strcmp(o[i].address + size - sizeof(bad) + 1, bad) != 0)
                        continue;
                item = find(f, WRONG, o[i].address);
                if (!item)
                        return;
                (void)snprintf(item->text, sizeof(item->text),
                               "the key is -1: ftok(3) failed, and was not asked whether; unrelated programs meet here");
                (void)snprintf(item->remedy, sizeof(item->remedy), "make the file that ftok is given; then: ipcway remove %s",
                               o[i].address);
        }
}

void check_sysv(struct findings *f, const struct ipw_probe *p)
{
        long page = sysconf(_SC_PAGESIZE);
        uint64_t n[4];

        if (read_number("/proc/sys/kernel/shmmni", n))
                find_use(f, "System V segments", count_of(p, "shm+sysv", NULL), n[0], false,
                         "ipcway ls shm+sysv; sysctl -w kernel.shmmni=%llu", (unsigned long long)n[0] * 2 + 1);
        if (read_number("/proc/sys/kernel/shmall", n) && n[0] < (uint64_t)INT64_MAX / (uint64_t)page)
                find_use(f, "System V memory", count_of(p, "shm+sysv", "size"), n[0] * (uint64_t)page, true,
                         "ipcway ls shm+sysv --sort size; sysctl -w kernel.shmall=%llu", (unsigned long long)n[0] * 2 + 1);
        if (read_number("/proc/sys/kernel/msgmni", n))
                find_use(f, "System V queues", count_of(p, "mq+sysv", NULL), n[0], false, "ipcway ls mq+sysv; sysctl -w kernel.msgmni=%llu",
                         (unsigned long long)n[0] * 2 + 1);
        if (read_numbers("/proc/sys/kernel/sem", n, 4) == 4) { /* in a set, in all, operations, sets */
                find_use(f, "sets of System V semaphores", count_of(p, "sem+sysv", NULL), n[3], false,
                         "ipcway ls sem+sysv; sysctl -w kernel.sem='%llu %llu %llu %llu'", (unsigned long long)n[0],
                         (unsigned long long)n[1], (unsigned long long)n[2], (unsigned long long)n[3] * 2 + 1);
                find_use(f, "System V semaphores", count_of(p, "sem+sysv", "semaphores"), n[1], false,
                         "ipcway ls sem+sysv; sysctl -w kernel.sem='%llu %llu %llu %llu'", (unsigned long long)n[0],
                         (unsigned long long)n[1] * 2 + 1, (unsigned long long)n[2], (unsigned long long)n[3]);
        }
        check_keys(f, p);
}

/* ---- processes ------------------------------------------------------------------------------------------------------------------------------ */

static uint64_t count_descriptors(pid_t pid)
{
        struct dirent *entry;
        uint64_t n = 0;
        char path[32];
        DIR *d;

        (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
        d = opendir(path);
        while (d && (entry = readdir(d)))
                n += entry->d_name[0] != '.';
        if (d)
                (void)closedir(d);
        return n;
}

/* "Max open files            1024                 4096                 files" */
static uint64_t limit_of_descriptors(pid_t pid)
{
        static const char name[] = "Max open files";
        char path[40], line[256];
        uint64_t limit = 0;
        FILE *f;

        (void)snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
        f = fopen(path, "re");
        while (f && !limit && fgets(line, sizeof(line), f))
                if (strncmp(line, name, sizeof(name) - 1) == 0)
                        limit = strtoull(line + sizeof(name) - 1, NULL, 10);
        if (f)
                (void)fclose(f);
        return limit;
}

/* Of all processes the one that is nearest to its end; those at it are all told of. */
static void check_descriptors(struct findings *f, const struct ipw_probe *p)
{
        uint64_t most_used = 0, most_limit = 1;
        const struct ipw_probe_process *process;
        const char *worst = "";
        pid_t pid = 0;
        char what[64];

        for (size_t i = 0; (process = ipw_probe_process_at(p, i)); i++) {
                uint64_t used = count_descriptors(process->pid), limit = used ? limit_of_descriptors(process->pid) : 0;

                if (!limit)
                        continue; /* gone, or may not be seen */
                if ((double)used / (double)limit >= 0.8) {
                        (void)snprintf(what, sizeof(what), "descriptors of %d (%.16s)", (int)process->pid, process->name);
                        find_use(f, what, used, limit, false,
                                 "ipcway ls --all --pid %d; prlimit --pid %d --nofile=%llu:", (int)process->pid, (int)process->pid,
                                 (unsigned long long)limit * 2);
                } else if ((double)used / (double)limit > (double)most_used / (double)most_limit) {
                        most_used = used;
                        most_limit = limit;
                        worst = process->name;
                        pid = process->pid;
                }
        }
        if (pid) {
                (void)snprintf(what, sizeof(what), "descriptors, most: %d (%.16s)", (int)pid, worst);
                find_use(f, what, most_used, most_limit, false, "-");
        }
}

/* For each user, how many of these its processes have. */
static void check_watches(struct findings *f, const struct ipw_probe *p)
{
        enum { USERS = 64 };
        struct {
                uid_t uid;
                uint64_t instances, watches;
        } user[USERS] = { 0 };
        const struct ipw_probe_object *o;
        uint64_t instances = 0, watches = 0;
        size_t n, users = 0;
        char what[64];

        o = ipw_probe_objects(p, &n);
        for (size_t i = 0; i < n; i++) {
                const struct ipw_probe_process *process =
                        strcmp(o[i].kind, "inotify") == 0 && o[i].user_count ? ipw_probe_process(p, o[i].users[0].pid) : NULL;
                size_t k = 0;

                while (process && k < users && user[k].uid != process->uid)
                        k++;
                if (!process || k == USERS)
                        continue;
                users = k == users ? users + 1 : users;
                user[k].uid = process->uid;
                user[k].instances++;
                user[k].watches += number_of(&o[i], "watches");
        }
        (void)read_number("/proc/sys/fs/inotify/max_user_instances", &instances);
        (void)read_number("/proc/sys/fs/inotify/max_user_watches", &watches);
        for (size_t k = 0; k < users && instances && watches; k++) {
                (void)snprintf(what, sizeof(what), "inotify of user %u", user[k].uid);
                find_use(f, what, user[k].instances, instances, false, "ipcway ls inotify; sysctl -w fs.inotify.max_user_instances=%llu",
                         (unsigned long long)instances * 2);
                (void)snprintf(what, sizeof(what), "watches of user %u", user[k].uid);
                find_use(f, what, user[k].watches, watches, false, "ipcway ls inotify; sysctl -w fs.inotify.max_user_watches=%llu",
                         (unsigned long long)watches * 2);
        }
}

/* Signals that wait, of the user who has most of them: they are counted together. */
static void check_signals(struct findings *f, const struct ipw_probe *p)
{
        const struct ipw_probe_object *o, *worst = NULL;
        char what[64];
        size_t n;

        o = ipw_probe_objects(p, &n);
        for (size_t i = 0; i < n; i++)
                if (strcmp(o[i].kind, "signal") == 0 && number_of(&o[i], "queued-most") &&
                    (!worst || number_of(&o[i], "queued") * number_of(worst, "queued-most") >
                                       number_of(worst, "queued") * number_of(&o[i], "queued-most")))
                        worst = &o[i];
        if (!worst)
                return;
        (void)snprintf(what, sizeof(what), "waiting signals of user %u", worst->uid);
        find_use(f, what, number_of(worst, "queued"), number_of(worst, "queued-most"), false,
                 "ipcway ls signal; ulimit -i %llu: signals with values are refused or lost",
                 (unsigned long long)number_of(worst, "queued-most") * 2);
}

void check_processes(struct findings *f, const struct ipw_probe *p)
{
        uint64_t n[3];

        check_descriptors(f, p);
        check_watches(f, p);
        check_signals(f, p);
        if (read_numbers("/proc/sys/fs/file-nr", n, 3) == 3)
                find_use(f, "open files of the machine", n[0], n[2], false, "sysctl -w fs.file-max=%llu", (unsigned long long)n[2] * 2);
}

/* A listener whose callers wait and nobody accepts them. */
void check_listeners(struct findings *f, const struct ipw_probe *p)
{
        const struct ipw_probe_object *o;
        size_t n;

        o = ipw_probe_objects(p, &n);
        for (size_t i = 0; i < n; i++) {
                uint64_t callers = number_of(&o[i], "callers"), most = number_of(&o[i], "callers-most");

                if (callers && most && callers * 5 >= most * 4)
                        find_use(f, o[i].address, callers, most, false, "callers wait and nobody accepts: ipcway why %d",
                                 o[i].user_count ? (int)o[i].users[0].pid : 0);
        }
}

/* ---- the machine ----------------------------------------------------------------------------------------------------------------------------- */

static bool link_of(const char *path, char *out, size_t room)
{
        ssize_t n = readlink(path, out, room - 1);

        if (n > 0)
                out[n] = 0;
        return n > 0;
}

/* Processes whose queues and System V objects are others than ours. */
static void check_namespaces(struct findings *f, const struct ipw_probe *p)
{
        static const char first[] = "ipc:[4026531839]"; /* of the machine, in every kernel */
        const struct ipw_probe_process *process;
        char own[64], its[64], path[64];
        struct finding *item;
        size_t others = 0;
        pid_t example = 0;

        if (!link_of("/proc/self/ns/ipc", own, sizeof(own)))
                return;
        for (size_t i = 0; (process = ipw_probe_process_at(p, i)); i++) {
                (void)snprintf(path, sizeof(path), "/proc/%d/ns/ipc", (int)process->pid);
                if (!link_of(path, its, sizeof(its)) || strcmp(its, own) == 0)
                        continue;
                others++;
                example = process->pid;
        }
        if (strcmp(own, first) != 0 && (item = find(f, NOTE, "IPC namespace")))
                (void)snprintf(item->text, sizeof(item->text),
                               "is one of its own: queues and System V objects of the rest of the machine are not seen");
        if (others && (item = find(f, NOTE, "other IPC namespaces"))) {
                (void)snprintf(item->text, sizeof(item->text), "%zu process%s: their queues and System V objects are not seen from here",
                               others, others > 1 ? "es" : "");
                (void)snprintf(item->remedy, sizeof(item->remedy), "nsenter -t %d -i -m ipcway doctor", (int)example);
        }
}

/* "RemoveIPC=no", not behind a '#'. The last one counts. */
static void read_logind(const char *path, bool *removes)
{
        char line[512], value[16];
        FILE *f = fopen(path, "re");

        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, " RemoveIPC = %15s", value) == 1)
                        *removes = strchr("yYtT1", value[0]) != NULL || strcasecmp(value, "on") == 0;
        if (f)
                (void)fclose(f);
}

static bool logind_removes(void)
{
        static const char folder[] = "/etc/systemd/logind.conf.d";
        struct dirent **entries;
        bool removes = true; /* as it comes */
        char path[400];
        int n;

        read_logind("/etc/systemd/logind.conf", &removes);
        n = scandir(folder, &entries, NULL, alphasort);
        for (int i = 0; i < n; i++) {
                (void)snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
                if (strlen(entries[i]->d_name) > 5 && strcmp(entries[i]->d_name + strlen(entries[i]->d_name) - 5, ".conf") == 0)
                        read_logind(path, &removes);
                free(entries[i]);
        }
        if (n >= 0)
                free(entries);
        return removes;
}

/* systemd-logind removes what an ordinary user owns when his last session ends, also under a program that goes on. */
static void check_logout(struct findings *f, const struct ipw_probe *p)
{
        enum { ORDINARY = 1000, NOBODY = 65534 };
        static const char *const kinds[] = { "mq", "mq+sysv", "shm", "shm+sysv", "sem", "sem+sysv" };
        const struct ipw_probe_process *process;
        const struct ipw_probe_object *o;
        struct finding *item;
        size_t n, count = 0;
        bool runs = false;
        uid_t uid = 0;

        for (size_t i = 0; (process = ipw_probe_process_at(p, i)); i++)
                runs |= strcmp(process->name, "systemd-logind") == 0;
        if (!runs || !logind_removes())
                return;
        o = ipw_probe_objects(p, &n);
        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
                        if (strcmp(o[i].kind, kinds[k]) == 0 && o[i].named && o[i].uid >= ORDINARY && o[i].uid < NOBODY) {
                                count++;
                                uid = o[i].uid;
                        }
        item = find(f, count ? WRONG : NOTE, "RemoveIPC of systemd-logind");
        if (!item)
                return;
        if (count)
                (void)snprintf(item->text, sizeof(item->text),
                               "%zu object%s of user %u and such are removed when they log out, in use or not", count, count > 1 ? "s" : "",
                               uid);
        else
                (void)snprintf(item->text, sizeof(item->text), "is on: what ordinary users make is removed when they log out");
        (void)snprintf(item->remedy, sizeof(item->remedy),
                       "loginctl enable-linger %u, or RemoveIPC=no in /etc/systemd/logind.conf; or a user with a number below 1000", uid);
}

void check_machine(struct findings *f, const struct ipw_probe *p)
{
        struct finding *item;
        uint64_t scope = 0;

        check_namespaces(f, p);
        check_logout(f, p);
        if (read_number("/proc/sys/kernel/yama/ptrace_scope", &scope) && scope && geteuid() != 0 && (item = find(f, NOTE, "Yama"))) {
                (void)snprintf(item->text, sizeof(item->text), "lets a user look into his own children alone: why says less");
                (void)snprintf(item->remedy, sizeof(item->remedy), "as root, or sysctl -w kernel.yama.ptrace_scope=0");
        }
}

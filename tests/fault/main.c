/* SPDX-License-Identifier: MIT */
/*
 * The fault sweep: every call that the library makes fails once, in each way it can.
 *
 *      fault [--row TEXT] [--scenario TEXT] [--all]
 *
 * For each row and scenario: a clean run counts the calls; then one process for each call and each of its errors (errors.h) runs the scenario again
 * and has just that call fail, or all calls from there on made at that place in the source; calls that move bytes also move only one. A
 * failure that leads to places where no call was made before is tried once more with each of those failing too.
 *
 * The same failure at the same place in the source is tried PER_ROW times on a row and IN_ALL times on a mechanism; --all: without end.
 *
 * Whatever fails: an operation succeeds or gives -errno with a text; nothing hangs; no descriptor, no memory, no name is left; what a send
 * acknowledged is received, unless receiving itself reported an error; nothing comes twice, nothing that was refused comes at all.
 *
 * In the end every call site of src/core, src/gate, src/layer, src/mechanism, src/segment and src/share must have failed at least once, or be excused below.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errors.h"
#include "gates.h"
#include "rows.h"
#include "scenario.h"
#include "seam.h"

enum {
        DEADLINE = 20000, /* ms; far more than a run takes */
        SITES = 1000,
        CALLS = 4000, /* of one run */
        WAYS = 16,    /* in which a call can fail */
        WORKERS = 8,  /* they mostly wait */
        FRESH = 8,
        PER_ROW = 1,
        IN_ALL = 2,
        MECHANISMS = 32,
};

/* Sites that no play reaches, or only with a second failure before: each with what it would take. */
/* clang-format off */
static const struct {
        const char *file, *meaning, *reason;
} excused[] = {
        { "fd.c", "something harmless in its place", "an end that is descriptor 0, 1 or 2" },
        { "fd.c", "taken over", "the same" },
        { "fd.c", "its copy is in place", "the same" },
        { "file_append.c", "how large is it then", "two failures, then a third" },
        { "file_append.c", "let a write that is under way end", "the same" },
        { "file_append.c", "does it end in a whole line", "a file that others append to meanwhile" },
        { "file_follow.c", "where does its last line begin", "a reader from the end, in half a line" },
        { "file_follow.c", "where does it end now", "the same" },
        { "object_named.c", "its maker may be about to give it a size", "a file that stays empty for a second" },
        { "semaphore_memory.c", "another process is making it", "another process in the same moment" },
        { "object_sysv.c", "its maker is filling it", "a maker that is stopped half way" },
        { "object.c", "reading a hole takes a page, too", "holes that another program has left: tests/unit/test_segment.c" },
        { "mq.c", "is this a user namespace", "a process with CAP_SYS_RESOURCE" },
        { "mq_sysv.c", "its maker may be about to set the size", "a maker that is stopped half way" },
        { "mq_sysv_link.c", "how large can the message be that does not fit", "limits raised while the link is open, by root" },
        { "mq_sysv_ready.c", "sleep until a message comes, without taking it", "a thread of its own: how far it comes depends on time" },
        { "pipe.c", "take the SIGPIPE of this write away", "two failures, then a third" },
        { "pipe.c", "put it into the pipe", "writev, which no framing uses now" },
        { "pipe.c", "take what the pipe holds", "readv, which no framing uses now" },
        { "socket_stream.c", "hand bytes over, gathered", "what no framing uses now" },
        { "inet.c", "which interface is that zone", "a link-local address, which not every machine has" },
        { "rights.c", "is there room for a descriptor", "a table of descriptors that is full: tests/conform, the case descriptors" },
        { "rights.c", "there is", "descriptors that a security module keeps" },
        { "tcp.c", "the address as it is", "a port that the kernel chooses" },
        { "tcp.c", "the address as it is, for who asks", "the same" },
        { "door.c", "whom do we refuse", "another user" },
        { "unix_seqpacket.c", "room for larger messages", "limits of sockets raised by root" },
        { "record.c", "give a large message's pages back", "limits of sockets raised by root" },
        { "record.c", "what was dropped", "a kernel that drops" },
        { "first.c", "nobody else is waited for", "a third peer while the second is taken in" },
        { "hub_send.c", "has the while passed", "two failures, then a third" },
        { "hub_peers.c", "the while has passed", "the same" },
        { "udp.c", "the address as it is", "a port that the kernel chooses" },
        { "udp.c", "which port it is", "a port that the kernel chooses" },
        { "udp.c", "did we get it", "a kernel that gives less than was asked for" },
        { "udp.c", "to the group on this interface", "multicast" },
        { "udp.c", "join the group", "multicast" },
        { "udp.c", "which interface is that", "multicast" },
        { "locks.c", "is the memory of that file still there", "files that others have left: tests/unit/test_shm.c" },
        { "locks.c", "its memory is gone", "the same" },
        { "user.c", "is that user gone: then we mend", "a user that was killed: tests/ring" },
        { "user.c", "mended: the place is free", "the same" },
        { "wake.c", "wake who waits for this", "two processes; and if it fails, the sleeper looks again after a slice: tests/ring" },
        { "log.c", "the new directory, as it is", "a umask that keeps its owner out, and another user than root" },
        { "log.c", "is it what was made", "the same" },
        { "log.c", "let its owner in, whatever the umask", "the same" },
        { "log_sync.c", "another writer syncs, perhaps for us, too", "two writers in the same moment: tests/unit/test_log.c" },
        { "log_sync.c", "others are about to append, and this sync will do for them, too", "the same" },
        { "log_sync.c", "the next to sync", "three writers in the same moment; and if it fails, they look again after a slice: the same" },
        { "child.c", NULL, "events instead of messages: tests/unit/test_event_fault.c" },
        { "event.c", NULL, "events instead of messages: tests/unit/test_event_fault.c" },
        { "signal.c", NULL, "events instead of messages: tests/unit/test_event_fault.c" },
        { "timer.c", NULL, "events instead of messages: tests/unit/test_event_fault.c" },
        { "turn.c", "it is not free yet", "a wait that is not over before: on a busy machine it may be" },
        { "semaphore_sysv.c", "another process is making it", "a maker that is stopped half way" },
        { "semaphore_sysv.c", "its maker may be about to set it", "a maker that was killed half way: a second is lost each time; the suite for gates" },
        { "semaphore_sysv.c", "its first value", "a maker that sets its own semaphore of a set only; the same" },
};
/* clang-format on */

struct slot {
        char report[900], doing[100];
        unsigned fresh[FRESH], fresh_count; /* sites that a clean run does not reach */
};
struct tally {
        unsigned hits[SITES], faults[SITES];
        unsigned tried[MECHANISMS][SITES][WAYS]; /* by mechanism */
        unsigned next;                           /* row to be taken by a worker */
        unsigned runs, failed;
        struct slot slot[WORKERS];
};
static struct tally *tally; /* shared by all processes */
static struct slot *mine;

/* ---- the hook ------------------------------------------------------------------------------------------------------------------------- */

static struct {
        bool on;
        unsigned calls; /* so far */
        /* The failure: the nth call of a site, for how many are made elsewhere depends on time. */
        unsigned at;   /* number of that call in the clean run; 0: none */
        int error;     /* 0: move one byte only */
        bool for_ever; /* and all later calls of that site */
        unsigned too;  /* index + 1 of another site that fails after that, once */
        int too_error;
        bool failed;
        unsigned made[SITES]; /* calls of each site so far */
        struct {
                struct sys_site *site;
                unsigned index, nth;
                bool sized;
        } seen[CALLS];     /* of the clean run, by number */
        bool clean[SITES]; /* reached by the clean run */
} plan;

static unsigned site_index(const struct sys_site *site)
{
        unsigned n = (unsigned)(__stop_ipw_sites - __start_ipw_sites);

        for (unsigned i = 0; i < n && i < SITES; i++)
                if (__start_ipw_sites[i] == site)
                        return i;
        return SITES - 1;
}

/* What gives back must be done even if it says that it failed: or the test would leak by itself. */
static bool gives_back(const char *call)
{
        return strcmp(call, "close") == 0 || strcmp(call, "munmap") == 0 || strcmp(call, "sem_close") == 0;
}

static bool is_due(unsigned index, unsigned nth)
{
        return index == plan.seen[plan.at].index && (nth == plan.seen[plan.at].nth || (plan.for_ever && nth > plan.seen[plan.at].nth));
}

static __thread int late_error; /* the call is made, and then said to have failed */

static int fail_it(struct sys_call *call, unsigned index, int error)
{
        __atomic_add_fetch(&tally->faults[index], 1, __ATOMIC_RELAXED);
        call->result = -error;
        if (gives_back(call->site->call))
                late_error = error;
        return !late_error;
}

static void note_clean(const struct sys_call *call, unsigned index, unsigned nth)
{
        unsigned number = __atomic_add_fetch(&plan.calls, 1, __ATOMIC_SEQ_CST);

        if (number < CALLS) {
                plan.seen[number].site = call->site;
                plan.seen[number].index = index;
                plan.seen[number].nth = nth;
                plan.seen[number].sized = call->size != NULL;
        }
        plan.clean[index] = true;
}

static void note_fresh(unsigned index)
{
        unsigned i = 0;

        if (plan.clean[index] || mine->fresh_count == FRESH)
                return;
        while (i < mine->fresh_count && mine->fresh[i] != index)
                i++;
        if (i == mine->fresh_count)
                mine->fresh[mine->fresh_count++] = index;
}

static int before(struct sys_call *call)
{
        unsigned index, nth;

        if (!plan.on)
                return 0;
        index = site_index(call->site);
        nth = __atomic_add_fetch(&plan.made[index], 1, __ATOMIC_SEQ_CST);
        __atomic_add_fetch(&tally->hits[index], 1, __ATOMIC_RELAXED);
        if (!plan.at) {
                note_clean(call, index, nth);
                return 0;
        }
        if (plan.failed)
                note_fresh(index);
        if (plan.failed && plan.too == index + 1) {
                plan.too = 0;
                return fail_it(call, index, plan.too_error);
        }
        if (!is_due(index, nth))
                return 0;
        plan.failed = true;
        if (plan.error)
                return fail_it(call, index, plan.error);
        if (call->size && *call->size > 1)
                *call->size = 1;
        return 0;
}

static void after(struct sys_call *call)
{
        if (late_error)
                call->result = -late_error;
        late_error = 0;
}

static const struct sys_hook hook = { before, after };

void fault_pause(bool pause)
{
        plan.on = !pause;
}

bool fault_is(int error)
{
        return plan.at && plan.error == error;
}

/* ---- judging -------------------------------------------------------------------------------------------------------------------------- */

void broken(const char *file, int line, const char *format, ...)
{
        const char *name = strrchr(file, '/');
        size_t at = (size_t)snprintf(mine->report, sizeof(mine->report), "%s:%d: ", name ? name + 1 : file, line);
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(mine->report + at, sizeof(mine->report) - at, format, arguments);
        va_end(arguments);
        _exit(1);
}

struct footprint {
        int fds;
        size_t bytes;
};

static struct footprint footprint(void)
{
        struct footprint f = { .fds = 0, .bytes = 0 };
        DIR *dir = opendir("/proc/self/fd");

        if (!dir)
                err(1, "/proc/self/fd");
        while (readdir(dir))
                f.fds++;
        (void)closedir(dir);
        f.bytes = mallinfo2().uordblks;
        return f;
}

static void plan_begin(void)
{
        plan.calls = 0;
        memset(plan.made, 0, sizeof(plan.made));
        plan.failed = false;
        plan.on = true;
}

/* One run of a scenario with what `plan` says, in this process. */
static void run_once(const struct scenario *scenario, struct world *w)
{
        struct footprint first, last;

        plan_begin();
        first = footprint();
        sys_hook = &hook;
        scenario->run(w);
        sys_hook = NULL;
        last = footprint();
        BROKEN_UNLESS(last.fds == first.fds, "%d descriptors leak", last.fds - first.fds);
        BROKEN_UNLESS(last.bytes <= first.bytes, "%zu bytes of memory leak", last.bytes - first.bytes);
        world_check_names(w);
}

/* ---- the sweep ------------------------------------------------------------------------------------------------------------------------ */

static volatile sig_atomic_t stopping;

static void stop(int number)
{
        stopping = 1;
}

static bool all;                         /* without limits */
static unsigned tried_here[SITES][WAYS]; /* on this row */

/* Of a worker. If we are to stop, so is it, and it clears away what it has. */
static int wait_for(pid_t pid)
{
        int status = -1;

        do {
                if (stopping)
                        (void)kill(pid, SIGTERM);
        } while (waitpid(pid, &status, 0) < 0 && errno == EINTR);
        return status;
}

/* Waits without sleeping on time; kills what hangs. Returns a wait status, or -1. */
static int await(pid_t pid)
{
        int fd = (int)syscall(SYS_pidfd_open, pid, 0), status = 0;
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int ready = poll(&p, 1, DEADLINE);

        (void)close(fd);
        if (ready != 1)
                (void)kill(pid, SIGKILL);
        (void)waitpid(pid, &status, 0);
        return ready == 1 ? status : -1;
}

static const int *errors_for(const char *call)
{
        static const int other[] = { EIO, 0 };

        for (size_t i = 0; i < sizeof(errors_of) / sizeof(errors_of[0]); i++)
                if (strcmp(errors_of[i].call, call) == 0)
                        return errors_of[i].errors;
        return other;
}

static void complain(const struct scenario *scenario, const struct world *w, int status)
{
        char text[1600];
        int n;

        n = snprintf(text, sizeof(text), "FAIL: %s %s: call %u, %s (%s), %s%s", w->row->name, scenario->name, plan.at,
                     plan.seen[plan.at].site->call, plan.seen[plan.at].site->meaning, plan.error ? strerrorname_np(plan.error) : "one byte",
                     plan.for_ever ? " and so on" : "");
        if (plan.too)
                n += snprintf(text + n, sizeof(text) - (size_t)n, "; then %s (%s), %s", __start_ipw_sites[plan.too - 1]->call,
                              __start_ipw_sites[plan.too - 1]->meaning, strerrorname_np(plan.too_error));
        (void)snprintf(text + n, sizeof(text) - (size_t)n, ": %s",
                       status == -1    ? "hangs"
                       : *mine->report ? mine->report
                                       : "the process was killed by a signal");
        printf("%s\n", text);
        (void)fflush(stdout);
}

static void run_faulty(const struct scenario *scenario, struct world *w)
{
        int status;
        pid_t pid;

        *mine->report = 0;
        pid = fork();
        if (pid < 0)
                err(1, "fork");
        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                run_once(scenario, w);
                _exit(0);
        }
        __atomic_add_fetch(&tally->runs, 1, __ATOMIC_RELAXED);
        status = await(pid);
        world_clear(w);
        if (stopping)
                _exit(1);
        if (status == 0)
                return;
        __atomic_add_fetch(&tally->failed, 1, __ATOMIC_RELAXED);
        complain(scenario, w, status);
}

static bool worth(const struct world *w, unsigned index, unsigned way)
{
        const struct ipw_mechanism *m = NULL;
        unsigned number = 0, *tried;

        while ((m = ipw_mechanism_next(m)) != w->row->mechanism)
                number++;
        tried = &tally->tried[number % MECHANISMS][index][way];
        if (!all && (tried_here[index][way] >= PER_ROW || __atomic_load_n(tried, __ATOMIC_RELAXED) >= IN_ALL))
                return false;
        tried_here[index][way]++;
        __atomic_add_fetch(tried, 1, __ATOMIC_RELAXED);
        return true;
}

/* `way` numbers the failures of one call: each error, then one of them for ever, then few bytes, then signals for ever. */
static void try_way(const struct scenario *scenario, struct world *w, unsigned at, int error, bool on, unsigned way)
{
        unsigned fresh[FRESH], count;

        if (!worth(w, plan.seen[at].index, way))
                return;
        plan.at = at;
        plan.error = error;
        plan.for_ever = on;
        plan.too = 0;
        mine->fresh_count = 0;
        run_faulty(scenario, w);
        count = mine->fresh_count;
        memcpy(fresh, mine->fresh, sizeof(fresh));
        for (unsigned i = 0; i < count; i++) {
                const int *errors = errors_for(__start_ipw_sites[fresh[i]]->call);

                for (unsigned k = 0; errors[k]; k++)
                        if (worth(w, fresh[i], k)) {
                                plan.too = fresh[i] + 1;
                                plan.too_error = errors[k];
                                run_faulty(scenario, w);
                        }
        }
}

static bool is_interruptible(const int *errors)
{
        while (*errors && *errors != EINTR)
                errors++;
        return *errors;
}

static void sweep_call(const struct scenario *scenario, struct world *w, unsigned at)
{
        const int *errors = errors_for(plan.seen[at].site->call);
        unsigned n = 0;

        for (; errors[n]; n++)
                try_way(scenario, w, at, errors[n], false, n);
        if (!scenario->endless) {
                if (errors[0] != EINTR || errors[1])
                        try_way(scenario, w, at, errors[errors[0] == EINTR], true, n);
                if (is_interruptible(errors)) /* a signal each time: the caller's time ends it */
                        try_way(scenario, w, at, EINTR, true, n + 3);
        }
        if (!plan.seen[at].sized)
                return;
        try_way(scenario, w, at, 0, false, n + 1);
        try_way(scenario, w, at, 0, true, n + 2);
}

static bool is_for(const struct scenario *s, const struct ipw_mechanism *m)
{
        return s->for_segments ? m->segment : s->for_gates ? m->gate : m->roles != 0;
}

static void sweep_scenario(const struct scenario *scenario, const struct row *row, const char *root)
{
        struct world w = { .row = row };
        unsigned calls;

        if (!world_make(&w, root) || !is_for(scenario, w.row->mechanism) || !scenario->fits(&w)) {
                world_clear(&w);
                return;
        }
        (void)snprintf(mine->doing, sizeof(mine->doing), "%s %s", row->name, scenario->name);
        memset(plan.clean, 0, sizeof(plan.clean));
        plan.at = plan.too = 0;
        for (int i = 0; i < 3; i++) { /* allocators keep some, the first time */
                plan_begin();
                sys_hook = &hook;
                scenario->run(&w);
                sys_hook = NULL;
                world_clear(&w);
        }
        run_once(scenario, &w);
        world_clear(&w);
        calls = plan.calls;
        for (unsigned at = 1; at <= calls && at < CALLS; at++)
                sweep_call(scenario, &w, at);
        world_clear(&w);
        printf("%-26s %-10s %5u calls\n", row->name, scenario->name, calls);
        (void)fflush(stdout);
}

/* Takes rows until there are none. */
static void work(unsigned worker, const struct row *rows, const char *row_filter, const char *scenario_filter, const char *root)
{
        mine = &tally->slot[worker];
        for (;;) {
                unsigned number = __atomic_fetch_add(&tally->next, 1, __ATOMIC_SEQ_CST);
                const struct row *row = rows;

                while (row && number--)
                        row = row->next;
                if (!row)
                        return;
                memset(tried_here, 0, sizeof(tried_here));
                for (const struct scenario *s = scenarios; s->name; s++)
                        if (strstr(row->name, row_filter) && strstr(s->name, scenario_filter))
                                sweep_scenario(s, row, root);
        }
}

static bool is_file(const char *path, const char *name)
{
        const char *base = strrchr(path, '/');

        return strcmp(base ? base + 1 : path, name) == 0;
}

/* Every place that makes a call must have been reached, and must have failed. */
static unsigned judge_sites(void)
{
        unsigned n = (unsigned)(__stop_ipw_sites - __start_ipw_sites), missed = 0, counted = 0;

        for (unsigned i = 0; i < n && i < SITES - 1; i++) {
                const struct sys_site *s = __start_ipw_sites[i];
                bool excuse = false;

                if (!strstr(s->file, "src/core/") && !strstr(s->file, "src/layer/") && !strstr(s->file, "src/mechanism/") &&
                    !strstr(s->file, "src/gate/") && !strstr(s->file, "src/segment/") && !strstr(s->file, "src/share/"))
                        continue;
                counted++;
                for (size_t k = 0; k < sizeof(excused) / sizeof(excused[0]); k++)
                        excuse |= is_file(s->file, excused[k].file) && (!excused[k].meaning || strcmp(s->meaning, excused[k].meaning) == 0);
                if (tally->faults[i] || excuse || !*errors_for(s->call))
                        continue;
                missed++;
                printf("FAIL: %s:%d: %s (%s) was %s\n", strstr(s->file, "src/"), s->line, s->call, s->meaning,
                       tally->hits[i] ? "reached, but never failed" : "never reached");
        }
        printf("%u call sites, %u never failed\n", counted, missed);
        return missed;
}

/* The rows of the suite for gates. */
static void add_gates(struct row **at)
{
        for (size_t i = 0; i < gate_row_count; i++) {
                struct row *row = calloc(1, sizeof(*row));

                if (!row)
                        err(1, "calloc");
                for (row->mechanism = NULL; (row->mechanism = ipw_mechanism_next(row->mechanism));)
                        if (strcmp(row->mechanism->scheme, gate_rows[i].scheme) == 0)
                                break;
                (void)snprintf(row->name, sizeof(row->name), "%s", gate_rows[i].name);
                (void)snprintf(row->sample, sizeof(row->sample), "%s%s", row->mechanism->sample, gate_rows[i].options);
                row->next = *at;
                *at = row;
        }
}

int main(int argc, char **argv)
{
        static const struct option options[] = { { "row", 1, NULL, 'r' }, { "scenario", 1, NULL, 's' }, { "all", 0, NULL, 'a' }, { 0 } };
        const char *row_filter = "", *scenario_filter = "";
        char root[] = "/tmp/ipcway-fault-XXXXXX", dir[64];
        unsigned missed = 0, broken_workers = 0;
        pid_t pid[WORKERS];
        struct row *rows;
        int r;

        /* Without the per-thread cache, memory in use is counted to the byte. */
        if (!getenv("GLIBC_TUNABLES")) {
                (void)setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
                (void)execv("/proc/self/exe", argv);
        }
        while ((r = getopt_long(argc, argv, "", options, NULL)) != -1)
                switch (r) {
                case 'r':
                        row_filter = optarg;
                        break;
                case 's':
                        scenario_filter = optarg;
                        break;
                case 'a':
                        all = true;
                        break;
                default:
                        errx(2, "usage: %s [--row TEXT] [--scenario TEXT] [--all]", argv[0]);
                }
        tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (tally == MAP_FAILED || !mkdtemp(root))
                err(1, "cannot begin");
        (void)setenv("XDG_RUNTIME_DIR", root, 1);
        (void)signal(SIGPIPE, SIG_IGN);
        (void)sigaction(SIGTERM, &(struct sigaction){ .sa_handler = stop }, NULL);
        (void)sigaction(SIGINT, &(struct sigaction){ .sa_handler = stop }, NULL);
        rows = rows_make(NULL, true);
        add_gates(&rows);
        (void)fflush(stdout);
        for (unsigned i = 0; i < WORKERS; i++) {
                (void)snprintf(dir, sizeof(dir), "%s/worker%u", root, i);
                if (mkdir(dir, 0700) < 0 || (pid[i] = fork()) < 0)
                        err(1, "cannot begin");
                if (pid[i] == 0) {
                        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                        work(i, rows, row_filter, scenario_filter, dir);
                        _exit(0);
                }
        }
        for (unsigned i = 0; i < WORKERS; i++) {
                int status = wait_for(pid[i]);

                if (status)
                        printf("FAIL: a clean run of %s: status 0x%x: %s\n", tally->slot[i].doing, (unsigned)status, tally->slot[i].report);
                broken_workers += status != 0;
        }
        rows_free(rows);
        empty_folder(root);
        if (!*row_filter && !*scenario_filter)
                missed = judge_sites();
        printf("%u passed, %u failed, 0 skipped\n", tally->runs - tally->failed, tally->failed + missed + broken_workers);
        return tally->failed || missed || broken_workers || !tally->runs;
}

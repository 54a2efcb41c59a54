/* SPDX-License-Identifier: MIT */
/*
 * Makes a small machine in namespaces of its own, whose processes are blocked on purpose, and records it.
 *      record MACHINE > tests/fuzz/corpus/machine/MACHINE      then: replay that > tests/probe/MACHINE.txt, and read it
 *      record --check MACHINE      is what is said of the recorded one what is said of the real one? 77: there are no namespaces for this user
 *      record --in MACHINE COMMAND [ARGUMENT]...      runs that there; files that it names are as they are outside
 * Machines: waits, every kind of wait and two deadlocks; names, what others may call things; user, what an ordinary user sees of root's; rings, those
 * of this library.
 */
#include <arpa/inet.h>
#include <err.h>
#include <mqueue.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "ipcway.h"
#include "machine.h"
#include "own_machine.h"
#include "snapshot.h"

enum { NOBODY = 65534, PORT = 4711 };

static int must(int r, const char *what)
{
        if (r < 0)
                err(2, "%s", what);
        return r;
}

/* Keeps what every process has, and these. */
static void keep_only(int a, int b)
{
        for (int fd = 3; fd < 1024; fd++)
                if (fd != a && fd != b)
                        (void)close(fd);
}

static void for_ever(void)
{
        for (;;)
                (void)pause();
}

/* ---- waits ------------------------------------------------------------------------------------------------------------------------------------- */

static int first[2], second[2], pair[2], records[2], locks[3];
static int queue, sysv_queue, set, listener, connection, event, memory, datagrams, packets;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void make_semaphore(const char *name, unsigned value)
{
        sem_t *semaphore = sem_open(name, O_CREAT, 0600, value);

        if (semaphore == SEM_FAILED)
                err(2, "%s", name);
        (void)sem_close(semaphore);
}

static void make_waits(void)
{
        struct sockaddr_in port = { .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "/tmp/datagrams" };
        static const char *const files[] = { "/tmp/one", "/tmp/two", "/tmp/three" };
        struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };

        must(pipe(first), "pipe");
        must(pipe(second), "pipe");
        must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
        must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, records), "socketpair");
        event = must(eventfd(0, EFD_CLOEXEC), "eventfd");
        memory = must(shm_open("/state", O_CREAT | O_RDWR, 0600), "shm_open");
        must(ftruncate(memory, 8192), "ftruncate");
        datagrams = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        must(bind(datagrams, (void *)&name, sizeof(name)), name.sun_path);
        must(shmget(0x4711, 4096, IPC_CREAT | 0600), "shmget");
        for (int i = 0; i < 3; i++) {
                locks[i] = must(open(files[i], O_CREAT | O_RDWR, 0600), files[i]);
                must(flock(locks[i], LOCK_EX), files[i]);
        }
        queue = must(mq_open("/jobs", O_CREAT | O_RDWR, 0600, &(struct mq_attr){ .mq_maxmsg = 1, .mq_msgsize = 16 }), "mq_open");
        sysv_queue = must(msgget(0x4711, IPC_CREAT | 0600), "msgget");
        set = must(semget(0x4711, 2, IPC_CREAT | 0600), "semget");
        must(mkfifo("/tmp/fifo", 0600), "mkfifo");
        make_semaphore("/turn", 0);
        listener = socket(AF_INET, SOCK_STREAM, 0);
        connection = socket(AF_INET, SOCK_STREAM, 0);
        must(ioctl(listener, SIOCSIFFLAGS, &lo), "lo");
        must(bind(listener, (void *)&port, sizeof(port)), "bind");
        must(listen(listener, 1), "listen");
        must(connect(connection, (void *)&port, sizeof(port)), "connect");
        must(accept4(listener, NULL, NULL, SOCK_CLOEXEC), "accept"); /* the recorder has that end and is not seen */
        packets = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        must(bind(packets, (void *)&port, sizeof(port)), "bind");
}

static void reader(void)
{
        char byte;

        keep_only(first[0], -1);
        (void)read(first[0], &byte, 1);
}

static void filler(void)
{
        static const char some[4096];

        keep_only(second[1], locks[0]);
        while (write(second[1], some, sizeof(some)) > 0)
                ;
}

static void locker(void)
{
        int again = open("/tmp/one", O_RDWR);

        keep_only(second[0], again);
        (void)flock(again, LOCK_EX);
}

static void behind(void)
{
        int again = open("/tmp/one", O_RDWR);

        keep_only(first[1], again);
        (void)flock(again, LOCK_SH);
}

static void one(void)
{
        int other = open("/tmp/three", O_RDWR);

        keep_only(locks[1], other);
        (void)flock(other, LOCK_EX);
}

static void two(void)
{
        int other = open("/tmp/two", O_RDWR);

        keep_only(locks[2], other);
        (void)flock(other, LOCK_EX);
}

static void polls(void)
{
        keep_only(pair[0], -1);
        (void)poll(&(struct pollfd){ .fd = pair[0], .events = POLLIN }, 1, -1);
}

static void epolls(void)
{
        struct epoll_event wanted = { .events = EPOLLIN };
        int epoll;

        keep_only(pair[1], -1);
        epoll = epoll_create1(0);
        (void)epoll_ctl(epoll, EPOLL_CTL_ADD, pair[1], &wanted);
        (void)epoll_wait(epoll, &wanted, 1, 600000);
}

static void accepts(void)
{
        keep_only(listener, -1);
        (void)accept(listener, NULL, NULL);
}

static void receives(void)
{
        char byte;

        keep_only(connection, -1);
        (void)recv(connection, &byte, 1, 0);
}

static void receives_queue(void)
{
        char text[16];

        keep_only(queue, -1);
        (void)mq_receive(queue, text, sizeof(text), NULL);
}

static void receives_sysv(void)
{
        struct {
                long type;
                char text[8];
        } m;

        keep_only(-1, -1);
        (void)msgrcv(sysv_queue, &m, sizeof(m.text), 0, 0);
}

static void takes_sysv(void)
{
        keep_only(-1, -1);
        (void)semop(set, &(struct sembuf){ .sem_num = 1, .sem_op = -1 }, 1);
}

static void takes_named(void)
{
        keep_only(-1, -1);
        (void)sem_wait(sem_open("/turn", 0));
}

static void *wants_mutex(void *unused)
{
        (void)pthread_mutex_lock(&mutex);
        return NULL;
}

static void holds_mutex(void)
{
        pthread_t thread;

        keep_only(-1, -1);
        (void)pthread_mutex_lock(&mutex);
        (void)pthread_create(&thread, NULL, wants_mutex, NULL);
        for_ever();
}

static void receives_record(void)
{
        char byte;

        keep_only(records[0], -1);
        (void)recv(records[0], &byte, 1, 0);
}

static void counts(void)
{
        uint64_t count;

        keep_only(event, records[1]);
        (void)read(event, &count, sizeof(count));
}

static void receives_datagram(void)
{
        char byte;

        keep_only(datagrams, -1);
        (void)recv(datagrams, &byte, 1, 0);
}

static void receives_packet(void)
{
        char byte;

        keep_only(packets, event);
        (void)recv(packets, &byte, 1, 0);
}

static void maps(void)
{
        keep_only(memory, -1);
        (void)mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
        (void)shmat(shmget(0x4711, 0, 0), NULL, 0);
        for_ever();
}

static void reads_fifo(void)
{
        char byte;
        int fd;

        keep_only(-1, -1);
        (void)mkfifo("/tmp/line", 0600);
        fd = open("/tmp/line", O_RDWR);
        (void)read(fd, &byte, 1);
}

static void opens(void)
{
        keep_only(-1, -1);
        (void)open("/tmp/fifo", O_RDONLY);
}

static void waits_signal(void)
{
        sigset_t signals;

        keep_only(-1, -1);
        (void)sigemptyset(&signals);
        (void)sigaddset(&signals, SIGUSR1);
        (void)sigprocmask(SIG_BLOCK, &signals, NULL);
        (void)sigwaitinfo(&signals, NULL);
}

/* ---- names ------------------------------------------------------------------------------------------------------------------------------------- */

#define ODD "a) R 1 (\n\xff%20 \t(deleted)"

static void make_names(void)
{
        must(mkfifo("/tmp/" ODD, 0600), "mkfifo");
        first[0] = must(open("/tmp/" ODD, O_RDWR), "fifo");
        second[0] = must(shm_open("/" ODD, O_CREAT | O_RDWR, 0600), "shm_open");
        must(ftruncate(second[0], 8192), "ftruncate");
        queue = must(mq_open("/" ODD, O_CREAT | O_RDWR, 0600, &(struct mq_attr){ .mq_maxmsg = 1, .mq_msgsize = 16 }), "mq_open");
        locks[0] = must(open("/tmp/lock " ODD, O_CREAT | O_RDWR, 0600), "lock");
        must(flock(locks[0], LOCK_EX), "flock");
        make_semaphore("/sem " ODD, 3);
}

static void reads_odd(void)
{
        char byte;

        keep_only(first[0], second[0]);
        (void)mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, second[0], 0);
        (void)read(first[0], &byte, 1);
}

static void receives_odd(void)
{
        char text[16];
        int fd;

        keep_only(queue, -1);
        fd = memfd_create(ODD, 0);
        (void)ftruncate(fd, 4096);
        (void)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        (void)mq_receive(queue, text, sizeof(text), NULL);
}

static void locks_odd(void)
{
        int again = open("/tmp/lock " ODD, O_RDWR);

        keep_only(again, -1);
        (void)flock(again, LOCK_EX);
}

static void listens_odd(void)
{
        struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0" ODD };
        int s;

        keep_only(locks[0], -1);
        s = socket(AF_UNIX, SOCK_SEQPACKET, 0);
        (void)bind(s, (void *)&name, sizeof(name.sun_family) + sizeof(ODD));
        (void)listen(s, 5);
        (void)accept(s, NULL, NULL);
}

/* ---- rings ------------------------------------------------------------------------------------------------------------------------------------- */

static void make_rings(void)
{
        queue = must(shm_open("/raw", O_CREAT | O_RDWR | O_CLOEXEC, 0600), "shm_open"); /* no ring */
        must(ftruncate(queue, 8192), "ftruncate");
}

static struct ipw_link *use(const char *address, unsigned how)
{
        struct ipw_link *link;
        struct ipw_why why;

        keep_only(-1, -1);
        if (ipw_open(&link, address, how, 0, &why) < 0)
                errx(2, "%s", why.text);
        return link;
}

static void receives_at(const char *address, unsigned how)
{
        char data[64];

        (void)ipw_recv(use(address, how), &(struct ipw_message){ .data = data, .capacity = sizeof(data) }, IPW_FOREVER);
}

static void receives_ring(void)
{
        receives_at("shm:/empty", IPW_PULL);
}

static void has_full(void)
{
        (void)use("shm:/full?size=4096", IPW_PULL);
        for_ever();
}

static void fills_ring(void)
{
        struct ipw_link *link = use("shm:/full?size=4096", IPW_PUSH);
        char data[500] = "";

        while (ipw_send(link, &(struct ipw_message){ .data = data, .size = sizeof(data) }, IPW_FOREVER) >= 0)
                ;
}

static void has_turn(void)
{
        struct ipw_span span = { 0 };

        (void)ipw_claim(use("shm:/turn", IPW_PUSH), 100, &span, 1, 0);
        for_ever();
}

static void wants_turn(void)
{
        (void)ipw_send(use("shm:/turn", IPW_PUSH), &(struct ipw_message){ .data = (char[]){ "x" }, .size = 1 }, IPW_FOREVER);
}

/* Each waits for the other to speak first. */
static void listens_to_other(void)
{
        receives_at("shm:/pair", IPW_PAIR);
}

/* ---- user -------------------------------------------------------------------------------------------------------------------------------------- */

static void make_user(void)
{
        make_waits();
        must(chmod("/tmp/one", 0666), "chmod");
}

static void be_nobody(void)
{
        become(NOBODY);
        (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* else what is ours in /proc belongs to root */
}

static void user_reads(void)
{
        be_nobody();
        reader();
}

static void user_locks(void)
{
        be_nobody();
        locker();
}

static void user_event(void)
{
        char eight[8];
        int own;

        keep_only(-1, -1);
        be_nobody();
        own = eventfd(0, 0);
        (void)read(own, eight, sizeof(eight));
}

/* ---- all --------------------------------------------------------------------------------------------------------------------------------------- */

static const struct person {
        const char *name, *call;
        void (*body)(void);
} waits[] = { { "reader", "read(2)", reader },
              { "filler", "write(2)", filler },
              { "locker", "flock(2)", locker },
              { "behind", "flock(2)", behind },
              { "one", "flock(2)", one },
              { "two", "flock(2)", two },
              { "polls", "poll(2)", polls },
              { "epolls", "epoll_wait(2)", epolls },
              { "accepts", "accept(2)", accepts },
              { "receives", "recv(2)", receives },
              { "queue", "mq_receive(3)", receives_queue },
              { "sysv", "msgrcv(2)", receives_sysv },
              { "set", "semop(2)", takes_sysv },
              { "semaphore", "futex(2)", takes_named },
              { "mutex", "futex(2)", holds_mutex },
              { "opens", "open(2)", opens },
              { "signal", "sigwait(3)", waits_signal },
              { "sequence", "recv(2)", receives_record },
              { "eventfd", "read(2)", counts },
              { "datagram", "recv(2)", receives_datagram },
              { "packet", "recv(2)", receives_packet },
              { "maps", "pause(2)", maps },
              { "line", "read(2)", reads_fifo },
              { 0 } },
  names[] = { { ODD, "read(2)", reads_odd },
              { "(", "mq_receive(3)", receives_odd },
              { ") S 1", "flock(2)", locks_odd },
              { "\xf0\x9f\x98", "accept(2)", listens_odd },
              { 0 } },
  rings[] = { { "receiver", "futex(2)", receives_ring }, { "idle", "pause(2)", has_full },
              { "filler", "futex(2)", fills_ring },      { "has turn", "pause(2)", has_turn },
              { "wants turn", "futex(2)", wants_turn },  { "left", "futex(2)", listens_to_other },
              { "right", "futex(2)", listens_to_other }, { 0 } },
  user[] = { { "reader", "read(2)", user_reads },
             { "filler", "write(2)", filler },
             { "locker", "flock(2)", user_locks },
             { "behind", "flock(2)", behind },
             { "eventfd", "read(2)", user_event },
             { "semaphore", "futex(2)", takes_named },
             { 0 } };

static const struct plan {
        const char *name;
        void (*make)(void);
        const struct person *people;
} plans[] = { { "waits", make_waits, waits }, { "names", make_names, names }, { "user", make_user, user }, { "rings", make_rings, rings } };

static bool sleeps(const struct ipw_probe *p, pid_t pid, const char *call)
{
        const struct ipw_probe_wait *w;
        size_t n;

        w = ipw_probe_waits(p, &n);
        for (size_t i = 0; i < n; i++)
                if (w[i].pid == pid && strcmp(w[i].call, call) == 0)
                        return true;
        return false;
}

static void start(const struct person *person)
{
        struct ipw_probe *p;
        struct ipw_why why;
        bool there = false;
        pid_t pid = fork_child();
        int looks = 0;

        if (pid == 0) {
                (void)prctl(PR_SET_NAME, person->name);
                (void)signal(SIGABRT, SIG_DFL);
                (void)dup2(STDOUT_FILENO, STDERR_FILENO);
                person->body();
                _exit(1);
        }
        while (!there) {
                if (ipw_probe_take(&p, 0, &why) < 0)
                        errx(2, "%s", why.text);
                there = sleeps(p, pid, person->call);
                ipw_probe_free(p);
                look_again(&looks, person->name);
        }
}

/* The texts of both pictures must be the same. */
static int check(const struct machine *m, const struct ipw_probe *p)
{
        char *recorded, *real, *again;
        struct ipw_probe *other;
        struct machine back;
        struct ipw_why why;
        size_t size;
        FILE *f;
        int r;

        f = open_memstream(&recorded, &size);
        machine_write(m, f);
        (void)fclose(f);
        machine_read(&back, recorded, size);
        if (probe_take(&other, &back.source, IPW_PROBE_OBJECTS, &why) < 0)
                errx(2, "%s", why.text);
        f = open_memstream(&real, &size);
        machine_print(p, f);
        (void)fclose(f);
        f = open_memstream(&again, &size);
        machine_print(other, f);
        (void)fclose(f);
        r = strcmp(real, again) != 0;
        if (r)
                fprintf(stderr, "the real one:\n%s\nthe recorded one:\n%s", real, again);
        ipw_probe_free(other);
        machine_free(&back);
        free(real);
        free(again);
        free(recorded);
        return r;
}

/* Whoever it may see. */
static bool all_sleep(const struct ipw_probe *p)
{
        const struct ipw_probe_wait *w;
        const struct ipw_probe_process *one;
        size_t n;

        w = ipw_probe_waits(p, &n);
        for (size_t i = 0; (one = ipw_probe_process_at(p, i)); i++) {
                size_t at = 0;

                while (at < n && w[at].pid != one->pid)
                        at++;
                if (at == n)
                        return false;
        }
        return true;
}

static int record(const struct plan *kind, bool checks, FILE *out)
{
        struct recorder recorder;
        struct machine machine;
        struct ipw_probe *p;
        struct ipw_why why;
        struct live live;
        int r = 0, looks = 0;

        must(live_open(&live), "/proc");
        if (strcmp(kind->name, "user") == 0)
                be_nobody();
        recorder_open(&recorder, &live.source, &machine);
        if (probe_take(&p, &recorder.source, IPW_PROBE_OBJECTS, &why) < 0)
                errx(2, "%s", why.text);
        while (!all_sleep(p)) { /* at a ring one wakes now and then */
                ipw_probe_free(p);
                machine_free(&machine);
                look_again(&looks, "a moment in which all sleep");
                recorder_open(&recorder, &live.source, &machine);
                if (probe_take(&p, &recorder.source, IPW_PROBE_OBJECTS, &why) < 0)
                        errx(2, "%s", why.text);
        }
        recorder_complete(&recorder);
        live_close(&live);
        if (checks)
                r = check(&machine, p);
        else
                machine_write(&machine, out);
        machine_free(&machine);
        ipw_probe_free(p);
        return r;
}

static void mount_own(void)
{
        static const struct {
                const char *type, *path;
        } mounts[] = { { "proc", "/proc" }, { "tmpfs", "/tmp" }, { "tmpfs", "/dev/shm" } };

        for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++)
                if (mount(mounts[i].type, mounts[i].path, mounts[i].type, MS_NOSUID, NULL) < 0)
                        _exit(CANNOT);
        if (access("/dev/mqueue", F_OK) == 0 && mount("mqueue", "/dev/mqueue", "mqueue", 0, NULL) < 0)
                _exit(CANNOT);
}

/* What a path leads to now, it leads to when other things are mounted there. */
static char *keep_file(char *path)
{
        char *kept = NULL;
        int fd = strchr(path, '/') ? open(path, O_PATH) : -1;

        if (fd < 0)
                return path;
        return asprintf(&kept, "/proc/self/fd/%d", fd) < 0 ? path : kept;
}

static int run_in(char **command, int out)
{
        const int made[] = { first[0], first[1], second[0], second[1], pair[0],  pair[1],
                             locks[0], locks[1], locks[2],  queue,     listener, connection };
        pid_t pid;

        if (geteuid() != 0)
                return CANNOT; /* with execve(2) it would lose the rights that the others have here, and may not look into them */
        for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
                if (made[i] > STDERR_FILENO) /* those who need it have it */
                        (void)close(made[i]);
        pid = fork_child();
        if (pid == 0) {
                (void)dup2(out, STDOUT_FILENO);
                (void)dup2(out, STDERR_FILENO);
                (void)execvp(command[0], command);
                _exit(127);
        }
        return reap(pid);
}

static int be_machine(const struct plan *kind, bool checks, char **command)
{
        int out = must(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), "standard output");
        int null = must(open("/dev/null", O_RDWR | O_CLOEXEC), "/dev/null"), r;
        FILE *f = fdopen(must(fcntl(out, F_DUPFD_CLOEXEC, 3), "standard output"), "w");

        for (char **word = command; word && *word; word++)
                *word = keep_file(*word);
        mount_own();
        must(chdir("/tmp"), "/tmp");
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(null, STDOUT_FILENO);
        kind->make();
        for (const struct person *p = kind->people; p->name; p++)
                start(p);
        r = command ? run_in(command, out) : record(kind, checks, f);
        (void)fclose(f);
        return r;
}

int main(int argc, char **argv)
{
        bool checks = argc > 1 && strcmp(argv[1], "--check") == 0, in = argc > 3 && strcmp(argv[1], "--in") == 0;
        pid_t pid;

        for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
                if ((argc != 2 + checks && !in) || strcmp(argv[1 + (checks || in)], plans[i].name) != 0)
                        continue;
                keep_only(-1, -1);
                own_machine(CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS);
                pid = fork_first();
                if (pid == 0)
                        _exit(be_machine(&plans[i], checks, in ? argv + 3 : NULL));
                /* not exit(3): what looks for leaks starts a process, and a namespace whose first one has ended refuses that */
                _exit(reap(pid));
        }
        errx(2, "usage: record [--check|--in] waits|names|user|rings [COMMAND...]");
}

/* SPDX-License-Identifier: MIT */
#include "signal_facts.h"

#include <signal.h>

#define AS_IT_LIKES                                                                                                     \
        "It means what the program says. Receive it as a message (ipcway signal wait, signal: in C) rather than in a\n" \
        "handler. Merged: two of them before the first is received are one; use a real-time signal to count.\n"
#define ASKED_TO_END                                                                                                   \
        "Finish what was begun, remove what must not stay, end. As a message (signal:INT,TERM) it comes in the loop\n" \
        "that waits anyhow, and nothing is interrupted half way. A second one should end the program at once.\n"
#define BY_TERMINAL                                                                                                 \
        "The terminal's doing, in shells with job control. Programs that set the terminal up otherwise (editors)\n" \
        "put it back, stop themselves with kill(0, SIGSTOP), and set it up again on CONT.\n"
#define FAULT                                                                                                              \
        "The thread itself did it, with the very instruction it stands at. Going on repeats it. Blocked or ignored, the\n" \
        "process ends at once. It cannot be received as a message. What a handler can do: note where, and end.\n"          \
        "  - on a stack of its own (sigaltstack, SA_ONSTACK): the usual stack may be what is full\n"                       \
        "  - only async-signal-safe calls (signal-safety(7)): write(2) yes; printf, malloc, locks no\n"                    \
        "  - then the default action again, so that parent and core dump tell the truth\n"

static const struct signal_facts facts[] = {
        { SIGHUP, "ends", "the terminal was closed; to daemons: read the configuration again",
          "A program with a terminal ends; nohup(1) ignores it. A daemon has no terminal, so it is free to mean: reload.\n", 0 },
        { SIGINT, "ends", "Ctrl-C", ASKED_TO_END, 0 },
        { SIGQUIT, "ends, core", "Ctrl-\\", "As INT, with a core dump to look at. Programs leave it alone.\n", 0 },
        { SIGILL, "ends, core", "a fault: an instruction that the processor does not know", FAULT, 1 },
        { SIGTRAP, "ends, core", "a fault: a breakpoint, or a step under a debugger", FAULT, 1 },
        { SIGABRT, "ends, core", "abort(3): an assert failed, the heap is broken",
          "The program found itself out. A handler may note something; after it returns, abort(3) ends the process anyhow.\n", 0 },
        { SIGBUS, "ends, core", "a fault: a page behind the end of a mapped file, bad alignment, broken memory", FAULT, 1 },
        { SIGFPE, "ends, core", "a fault: integer division by zero", FAULT, 1 },
        { SIGKILL, "ends", "somebody means it, or the kernel is out of memory",
          "Nobody can handle, block or receive it. Whatever must not stay behind has to be freed by the kernel: locks of files,\n"
          "descriptors, keep=0 where it is offered. Send TERM first, and this only if that did not help.\n",
          0 },
        { SIGUSR1, "ends", "what the program says it means", AS_IT_LIKES, 0 },
        { SIGSEGV, "ends, core", "a fault: an address that may not be used, a stack that is full", FAULT, 1 },
        { SIGUSR2, "ends", "what the program says it means", AS_IT_LIKES, 0 },
        { SIGPIPE, "ends", "written to a pipe or socket that nobody reads any more",
          "Made for pipelines. A program that looks at what write(2) returns ignores it: signal(SIGPIPE, SIG_IGN), and gets EPIPE.\n"
          "libipcway never raises it.\n",
          0 },
        { SIGALRM, "ends", "alarm(2), setitimer(2): time is over",
          "One for the whole process, so two libraries that use it disturb each other. To limit a wait give it a timeout; for\n"
          "ticks in a loop take timer:500ms.\n",
          0 },
        { SIGTERM, "ends", "the polite request to end: kill(1), systemctl stop, shutdown", ASKED_TO_END, 0 },
        { SIGSTKFLT, "ends", "never; kept from old processors", "Nothing sends it.\n", 0 },
        { SIGCHLD, "nothing", "a child ended, was stopped or went on",
          "Merged: one may stand for several children, so wait for all that have ended: waitpid(-1, ..., WNOHANG) until it says 0.\n"
          "Ignored (SIG_IGN), children leave no status. child:PID tells of one child without it.\n",
          0 },
        { SIGCONT, "goes on", "go on after a stop: fg, bg, ipcway signal send PID CONT",
          "It makes a stopped process run even if it is blocked or ignored; a handler can set the terminal up again.\n", 0 },
        { SIGSTOP, "stops", "somebody wants the process to halt: ipcway signal send PID STOP",
          "Nobody can handle, block or receive it. CONT lets the process go on. The parent is told: child:PID?stops=1.\n", 0 },
        { SIGTSTP, "stops", "Ctrl-Z", BY_TERMINAL, 0 },
        { SIGTTIN, "stops", "a background job reads from its terminal", BY_TERMINAL, 0 },
        { SIGTTOU, "stops", "a background job writes to its terminal, if stty tostop is set", BY_TERMINAL, 0 },
        { SIGURG, "nothing", "urgent data on a socket", "Only for who asked (F_SETOWN); poll(2) says the same as POLLPRI.\n", 0 },
        { SIGXCPU, "ends, core", "more processor time used than RLIMIT_CPU (ulimit -t)",
          "Comes at the soft limit, then each second; at the hard limit comes KILL.\n", 0 },
        { SIGXFSZ, "ends, core", "a file grew beyond RLIMIT_FSIZE (ulimit -f)", "Ignored, write(2) says EFBIG instead.\n", 0 },
        { SIGVTALRM, "ends", "setitimer(2): processor time of the program is over", "For profilers.\n", 0 },
        { SIGPROF, "ends", "setitimer(2): processor time of program and kernel is over", "For profilers.\n", 0 },
        { SIGWINCH, "nothing", "the terminal's window has another size", "Ask for the new size (TIOCGWINSZ) and draw again.\n", 0 },
        { SIGIO, "ends", "a descriptor is ready, if O_ASYNC was asked for",
          "Merged, so it may stand for several. poll(2) or epoll(7) do the same better.\n", 0 },
        { SIGPWR, "ends", "power fails; meant for init", "Nothing else is sent it.\n", 0 },
        { SIGSYS, "ends, core", "a fault: a system call that seccomp(2) refuses", FAULT, 1 },
};

static const struct signal_facts real_time = {
        .action = "ends",
        .when = "what programs agree on; queued, each with a value",
        .advice = "Real-time signals are queued, in the order sent, each with a number; among several the lower signal comes first.\n"
                  "A send beyond RLIMIT_SIGPENDING says EAGAIN. The queue goes with the process that has not read it.\n",
};

const struct signal_facts *signal_facts(int number)
{
        for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
                if (facts[i].number == number)
                        return &facts[i];
        return number >= SIGRTMIN && number <= SIGRTMAX ? &real_time : NULL;
}

int signal_is_catchable(int number)
{
        return number != SIGKILL && number != SIGSTOP;
}

int signal_is_queued(int number)
{
        return number >= SIGRTMIN;
}

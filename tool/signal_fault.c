/* SPDX-License-Identifier: MIT */
/*
 * `signal list SEGV` shows a fault caught right: the code is printed and a child runs it. What is printed is this file, between the two lines that say so:
 * the assembler puts it into the program, so the two cannot part.
 */
#include "signal_fault.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "ipcway.h"
#include "say.h"

__asm__(".pushsection .rodata\n"
        "signal_fault_text: .incbin \"" __FILE__ "\"\n"
        ".byte 0\n"
        ".popsection\n");
extern const char signal_fault_text[];

/* show from here */
static void on_fault(int number, siginfo_t *info, void *context)
{
        static const char text[] = "caught: nothing can be repaired here, so I say it and end\n";

        (void)info; /* info->si_addr: the address, for SEGV and BUS */
        (void)context;
        if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0) /* safe in a handler; printf is not */
                _exit(1);
        (void)raise(number); /* SA_RESETHAND: now the default action, so that the parent learns the truth */
}

static void catch_fault(int number)
{
        static char stack[65536]; /* not the usual one: that may be what is full */
        stack_t other = { .ss_sp = stack, .ss_size = sizeof(stack) };
        struct sigaction action = { .sa_sigaction = on_fault };

        action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND;
        if (sigaltstack(&other, NULL) < 0 || sigaction(number, &action, NULL) < 0)
                _exit(1);
}
/* show to here */

/* The real thing where it can be had; else what the kernel would send. */
static void commit(int number)
{
        volatile int zero = 0;
        char *page = mmap(NULL, 4096, number == SIGSEGV ? PROT_NONE : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        int file = number == SIGBUS ? memfd_create("empty", MFD_CLOEXEC) : -1;

        if (file >= 0)
                page = mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
        if ((number == SIGSEGV || number == SIGBUS) && page != MAP_FAILED)
                *(volatile char *)page = 1;
#if defined(__x86_64__) || defined(__i386__)
        if (number == SIGFPE)
                __asm__ volatile("idivl %1" : : "a"(1), "r"(zero), "d"(0) : "cc");
        if (number == SIGILL)
                __asm__ volatile("ud2");
#endif
        (void)raise(number);
        _exit(zero);
}

static _Noreturn void be_caught(int number)
{
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        (void)prctl(PR_SET_DUMPABLE, 0); /* nobody is to find a core dump of a demonstration */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        catch_fault(number);
        commit(number);
        _exit(1);
}

static void print_code(void)
{
        const char *from = strstr(signal_fault_text, "/* show from "
                                                     "here */\n"),
                   *to = strstr(signal_fault_text, "/* show to "
                                                   "here */");

        if (from && to)
                printf("%.*s", (int)(to - strchr(from, '\n') - 1), strchr(from, '\n') + 1);
}

int signal_fault_show(int number)
{
        struct ipw_link *child;
        struct ipw_signal s = { 0 };
        struct ipw_message m = { .data = &s, .capacity = sizeof(s) };
        struct ipw_why why;
        char address[40], name[16] = "";
        pid_t pid;

        printf("Caught right:\n\n");
        print_code();
        printf("\nA child that runs it:\n\n");
        if (fflush(stdout) != 0)
                return say_finish();
        pid = fork();
        if (pid == 0)
                be_caught(number);
        (void)snprintf(address, sizeof(address), "child:%d", (int)pid);
        if (pid < 0 || ipw_open(&child, address, IPW_PULL, 0, &why) < 0) {
                say_error("signal: cannot watch a child");
                return FAILED;
        }
        if (ipw_recv(child, &m, IPW_FOREVER) < 0)
                (void)say_link(child);
        (void)ipw_close(child);
        if (s.code != CLD_KILLED && s.code != CLD_DUMPED) {
                say_error("signal: the child was to be killed by its fault, but ended with status %d", s.status);
                return FAILED;
        }
        (void)ipw_signal_name(s.status, name, sizeof(name));
        printf("its parent: the child was killed by %s\n", name);
        return say_finish();
}

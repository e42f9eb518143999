#include "Stepping.h"
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#ifdef __x86_64__
static step_registers taken(const struct user_regs_struct *from) {
    return (step_registers){
        .general = {from->rax, from->rcx, from->rdx, from->rbx, from->rsp, from->rbp, from->rsi, from->rdi, from->r8, from->r9, from->r10, from->r11,
                    from->r12, from->r13, from->r14, from->r15},
        .instruction = from->rip,
        .fs_base = from->fs_base,
    };
}

/* Waits until the thread has stopped. */
static int stopped(pid_t thread) {
    int status;
    while (waitpid(thread, &status, __WALL) < 0)
        if (errno != EINTR) return -errno;
    return WIFSTOPPED(status) ? 0 : -ESRCH;
}

static int step(pid_t thread, size_t count, step_registers *registers) {
    int result = stopped(thread);
    for (size_t number = 0; result == 0 && number < count; number++) {
        struct user_regs_struct now;
        if (ptrace(PTRACE_GETREGS, thread, NULL, &now) < 0) return -errno;
        registers[number] = taken(&now);
        if (ptrace(PTRACE_SINGLESTEP, thread, NULL, NULL) < 0) return -errno;
        result = stopped(thread);
    }
    return result;
}

int step_thread(pid_t thread, size_t count, step_registers *registers) {
    if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) < 0) return -errno;
    int result = ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) < 0 ? -errno : step(thread, count, registers);
    ptrace(PTRACE_DETACH, thread, NULL, NULL);
    return result;
}
#else
int step_thread(pid_t thread, size_t count, step_registers *registers) {
    (void)thread, (void)count, (void)registers;
    return -ENOTSUP;
}
#endif
